import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { foldMembers } from '../../../src/pipeline/plan/fold-members.ts'
import { inTransaction } from '../../../src/platform/db.ts'
import {
  digestsOf,
  folding,
  membersOf,
  minuteMs,
  planFolded,
  planNotifications,
  type Told,
  windowed,
} from '../../support/folding.ts'
import { type TestClock, testClock } from '../../support/test-clock.ts'
import { createWorld, type World } from '../../support/world.ts'

const start = new Date('2026-11-20T10:00:00Z')
let clock: TestClock
let world: World
before(async () => {
  clock = testClock(start)
  world = await createWorld(clock)
})

let people = 0
const somebody = () => `p${++people}`
const fold = (...told: Told[]) =>
  planFolded(
    world,
    told.map((each) => folding(world, each)),
  )
const after = (ms: number) => new Date(clock.now().getTime() + ms)

test('the first member opens a digest, the others join it, and each notification knows it', async () => {
  const recipient = somebody()
  const members = ['a', 'b', 'c'].map((event) => folding(world, { recipient, event }))
  await planFolded(world, members.slice(0, 1))
  await planFolded(world, members.slice(1))
  const [digest, ...others] = await digestsOf(world, recipient)
  assert.deepEqual(others, [])
  assert.equal(digest!.count, 3)
  assert.deepEqual(digest!.closes_at, after(10 * minuteMs))
  assert.deepEqual(
    (await membersOf(world, digest!.id)).map(({ event_ref }) => event_ref),
    ['a', 'b', 'c'],
  )
  const known = await world.rows('select digest_id, outcome from carillon.notifications where recipient_id = $1', [
    recipient,
  ])
  assert.deepEqual(known, Array(3).fill({ digest_id: digest!.id, outcome: null }))
  const told = await world.rows<{ subject_id: string; type: string }>(
    `select subject_id, type from carillon.status_events where data ->> 'recipient_id' = $1 order by id`,
    [recipient],
  )
  assert.deepEqual(
    told,
    members.map(({ notificationId }) => ({ subject_id: notificationId, type: 'notification.folded' })),
  )
})

test('recipients and keys have digests of their own', async () => {
  const [one, two] = [somebody(), somebody()]
  await fold({ recipient: one }, { recipient: two }, { recipient: one, fold: { ...windowed, key: 'rule:2' } })
  assert.deepEqual((await digestsOf(world, one)).map(({ key, count }) => [key, count]).sort(), [
    ['rule:1', 1],
    ['rule:2', 1],
  ])
  assert.deepEqual(
    (await digestsOf(world, two)).map(({ count }) => count),
    [1],
  )
})

test('a planning that comes again folds nothing twice, also while another is at it', async () => {
  const recipient = somebody()
  const members = [folding(world, { recipient }), folding(world, { recipient })]
  await Promise.all([planFolded(world, members), planFolded(world, members)])
  await planFolded(world, members)
  const [digest] = await digestsOf(world, recipient)
  assert.equal(digest!.count, 2)
  assert.equal((await membersOf(world, digest!.id)).length, 2)
})

test('an event is in a digest once, whichever notifications stand for it', async () => {
  const recipient = somebody()
  const first = [folding(world, { recipient, event: 'e' }), folding(world, { recipient, event: 'e' })]
  const later = folding(world, { recipient, event: 'e' })
  await planFolded(world, first)
  await planFolded(world, [later, folding(world, { recipient, event: 'f' })])
  const [digest] = await digestsOf(world, recipient)
  assert.equal(digest!.count, 2)
  const [member] = await membersOf(world, digest!.id)
  assert.deepEqual(
    member!.notification_ids,
    [...first, later].map(({ notificationId }) => notificationId),
  )
})

const sizes: [string, number, number[], [string, number][]][] = [
  [
    'what is full collects no more',
    3,
    [3, 1],
    [
      ['full', 3],
      ['open', 1],
    ],
  ],
  [
    'one chunk fills several',
    3,
    [8],
    [
      ['full', 3],
      ['full', 3],
      ['open', 2],
    ],
  ],
  [
    'a chunk fills exactly',
    2,
    [4],
    [
      ['full', 2],
      ['full', 2],
    ],
  ],
  [
    'what was open is filled first',
    3,
    [2, 5],
    [
      ['full', 3],
      ['full', 3],
      ['open', 1],
    ],
  ],
  [
    'a size of one',
    1,
    [2],
    [
      ['full', 1],
      ['full', 1],
    ],
  ],
]
for (const [name, size, chunks, expected] of sizes) {
  test(`flushed by size: ${name}`, async () => {
    const recipient = somebody()
    for (const count of chunks) {
      await fold(
        ...Array.from({ length: count }, () => ({
          recipient,
          fold: { key: 'k', policy: { windowMs: minuteMs, size } },
        })),
      )
    }
    const digests = await digestsOf(world, recipient)
    assert.deepEqual(
      digests.map(({ state, count }) => [state, count]),
      expected,
    )
    for (const { id, state, count, closes_at } of digests) {
      assert.equal((await membersOf(world, id)).length, count)
      assert.deepEqual(closes_at, state === 'full' ? clock.now() : after(minuteMs))
    }
  })
}

test('a size that was lowered makes full what holds more', async () => {
  const recipient = somebody()
  const of = (size: number) => ({ recipient, fold: { key: 'k', policy: { windowMs: minuteMs, size } } })
  await fold(of(10), of(10), of(10))
  await fold(of(2), of(2), of(2))
  assert.deepEqual(
    (await digestsOf(world, recipient)).map(({ state, count }) => [state, count]),
    [
      ['full', 3],
      ['full', 2],
      ['open', 1],
    ],
  )
})

test('a sliding window moves with each member, and no further than its longest wait', async () => {
  const recipient = somebody()
  const sliding = {
    recipient,
    fold: { key: 'k', policy: { windowMs: 5 * minuteMs, sliding: true, longestMs: 12 * minuteMs } },
  }
  const opened = clock.now().getTime()
  const ends: number[] = []
  for (let step = 0; step < 4; step++) {
    await fold(sliding)
    const [digest] = await digestsOf(world, recipient)
    ends.push((digest!.closes_at.getTime() - opened) / minuteMs)
    clock.advance(4 * minuteMs)
  }
  assert.deepEqual(ends, [5, 9, 12, 12])
})

test('a recurrence closes at its next moment, and a changed policy or zone at that of the new one', async () => {
  const recipient = somebody()
  const daily = { key: 'k', policy: { recurrence: { cron: '0 9 * * *' } } }
  await fold({ recipient, fold: daily })
  assert.deepEqual((await digestsOf(world, recipient))[0]!.closes_at, new Date('2026-11-21T09:00:00Z'))
  await fold({ recipient, fold: { key: 'k', policy: { windowMs: minuteMs } } })
  assert.deepEqual((await digestsOf(world, recipient))[0]!.closes_at, after(minuteMs))
})

test('plannings that fold for the same people at once wait for each other in one order, and lose nothing', async () => {
  const team = Array.from({ length: 30 }, somebody)
  const chunk = (order: string[]) =>
    planFolded(
      world,
      order.map((recipient) =>
        folding(world, { recipient, fold: { key: 'k', policy: { windowMs: minuteMs, size: 7 } } }),
      ),
    )
  await Promise.all(Array.from({ length: 12 }, (_, index) => chunk(index % 2 ? team : team.toReversed())))
  for (const recipient of team) {
    const digests = await digestsOf(world, recipient)
    assert.deepEqual(digests.map(({ state, count }) => [state, count]).sort(), [
      ['full', 7],
      ['open', 5],
    ])
  }
})

test('a member that comes while its digest is being closed opens the next one', async () => {
  const recipient = somebody()
  await fold({ recipient })
  const [digest] = await digestsOf(world, recipient)
  const closer = await world.worker.connect()
  await closer.query('begin')
  await closer.query(
    `update carillon.digests set state = 'closed', close_reason = 'window', closed_at = $2 where id = $1`,
    [digest!.id, clock.now()],
  )
  const joining = fold({ recipient })
  await closer.query('commit')
  closer.release()
  await joining
  assert.deepEqual(
    (await digestsOf(world, recipient)).map(({ state, count }) => [state, count]),
    [
      ['closed', 1],
      ['open', 1],
    ],
  )
})

test('a planning that fails has folded nothing', async () => {
  const recipient = somebody()
  const members = [folding(world, { recipient })]
  await assert.rejects(
    inTransaction(world.worker, async (trx) => {
      await planNotifications(trx, world, members)
      await foldMembers(trx, world.tenant, members, world.ids, clock.now())
      throw new Error('lost')
    }),
  )
  assert.deepEqual(await digestsOf(world, recipient), [])
})

test('a chunk of a thousand is folded in a moment', async () => {
  const members = Array.from({ length: 1_000 }, (_, index) => folding(world, { recipient: `crowd${index % 700}` }))
  await planFolded(world, members.slice(0, 10))
  const begun = performance.now()
  await planFolded(world, members.slice(10))
  const tookMs = performance.now() - begun
  assert.ok(tookMs < 3_000, `${tookMs} ms`)
})

test('an event or an alert may be named by anything', async () => {
  const recipient = somebody()
  const group = { waitMs: 1, intervalMs: 1, repeatMs: 1, resolved: false }
  const strange = ['x'.repeat(100_000), 'a\u0000b', 'a\ud800b', '__proto__', '']
  await fold(...strange.map((event) => ({ recipient, event, data: {}, said: { subject: 'x', body: 'x' } })))
  await fold(...strange.map((alert) => ({ recipient, fold: { key: 'g', policy: {}, group: { ...group, alert } } })))
  for (const { id } of await digestsOf(world, recipient))
    assert.equal((await membersOf(world, id)).length, strange.length)
})
