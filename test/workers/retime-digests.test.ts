import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Fold } from '../../src/domain/digest.ts'
import { type Refold, retimeDigests } from '../../src/workers/retime-digests.ts'
import { digestsOf, folding, minuteMs, planFolded } from '../support/folding.ts'
import { type TestClock, testClock } from '../support/test-clock.ts'
import { createWorld, type World } from '../support/world.ts'

const start = '2026-11-20T10:00:00Z'
let clock: TestClock
let world: World
before(async () => {
  clock = testClock(start)
  world = await createWorld(clock)
})

const daily: Fold = { key: 'category:news', policy: { recurrence: { cron: '0 9 * * *' } } }
const windowed: Fold = { key: 'category:news', policy: { windowMs: 30 * minuteMs } }

let people = 0
async function waiting(fold: Fold, timezone = 'Europe/Berlin'): Promise<string> {
  const recipient = `p${++people}`
  clock.set(start)
  await world.admin.query(
    'insert into carillon.recipients (tenant_id, external_id, timezone, created_at, updated_at) values ($1, $2, $3, now(), now())',
    [world.tenant, recipient, timezone],
  )
  await planFolded(world, [folding(world, { recipient, fold, timezone })])
  return recipient
}
async function changed(recipient: string, refold?: Fold | null): Promise<Date> {
  await world.worker.query('select carillon.retime_digests($1, $2)', [world.tenant, [recipient]])
  const deps: { pool: typeof world.worker; refold?: Refold } = { pool: world.worker }
  if (refold !== undefined) {
    deps.refold = async (_trx, _tenant, digests) =>
      new Map(refold === null ? [] : digests.map(({ id }) => [id, refold] as const))
  }
  assert.equal(await retimeDigests(deps, clock.now()), 1)
  assert.equal(await retimeDigests(deps, clock.now()), 0)
  return (await digestsOf(world, recipient))[0]!.closes_at
}

test('"at nine" is moved when the recipient moves to another zone', async () => {
  const recipient = await waiting(daily)
  assert.deepEqual((await digestsOf(world, recipient))[0]!.closes_at, new Date('2026-11-21T08:00:00Z'))
  await world.admin.query('update carillon.recipients set timezone = $2 where external_id = $1', [
    recipient,
    'America/New_York',
  ])
  assert.deepEqual(await changed(recipient), new Date('2026-11-20T14:00:00Z'))
})

const cases: [string, Fold, Fold | null, string][] = [
  [
    'from daily to hourly',
    daily,
    { key: daily.key, policy: { recurrence: { cron: '0 * * * *' } } },
    '2026-11-20T11:00:00Z',
  ],
  ['from a window to daily', windowed, daily, '2026-11-21T08:00:00Z'],
  ['from daily to a window that has not passed', daily, windowed, '2026-11-20T10:30:00Z'],
  [
    'from daily to a window that has passed',
    daily,
    { key: daily.key, policy: { windowMs: minuteMs } },
    '2026-11-20T10:10:00Z',
  ],
  ['from daily to at once', daily, null, '2026-11-20T10:10:00Z'],
  ['to another digest', daily, { ...daily, key: 'rule:1' }, '2026-11-20T10:10:00Z'],
  ['unchanged', windowed, windowed, '2026-11-20T10:30:00Z'],
]
for (const [name, before, after, expected] of cases) {
  test(`a preference that changes moves what waits: ${name}`, async () => {
    const recipient = await waiting(before)
    clock.advance(10 * minuteMs)
    assert.deepEqual(await changed(recipient, after), new Date(expected))
  })
}

test('a sliding window goes on from its newest member, within its longest wait', async () => {
  const sliding: Fold = { key: 'k', policy: { windowMs: 10 * minuteMs, sliding: true, longestMs: 15 * minuteMs } }
  const recipient = await waiting(sliding)
  clock.advance(8 * minuteMs)
  await planFolded(world, [folding(world, { recipient, fold: sliding })])
  assert.deepEqual(await changed(recipient, sliding), new Date('2026-11-20T10:15:00Z'))
})

test('a tenant whose defaults change has all of its digests looked at, and no other tenant’s', async () => {
  const recipient = await waiting(windowed)
  await world.worker.query('select carillon.retime_digests($1, null)', [world.otherTenant])
  assert.equal(await retimeDigests({ pool: world.worker }, clock.now()), 0)
  await world.worker.query('select carillon.retime_digests($1, null)', [world.tenant])
  assert.ok((await retimeDigests({ pool: world.worker, atOnce: 2 }, clock.now())) >= 1)
  assert.equal((await digestsOf(world, recipient))[0]!.state, 'open')
})
