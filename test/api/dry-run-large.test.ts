/** Dry runs over many events, and over one with many recipients: in pages, in bounded memory, to be left at any time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type DraftInput, judgeDraft } from '../../src/api/dry-run/draft.ts'
import { prepareReplay } from '../../src/api/dry-run/prepare.ts'
import { type PageSizes, type Progress, replay, usualPages } from '../../src/api/dry-run/replay.ts'
import { firstIdAt } from '../../src/domain/ids.ts'
import { readAsTenants } from '../../src/platform/db.ts'
import { definitionOf, saveRules } from '../../src/store/rules.ts'
import { aRule } from '../support/rules.ts'
import { createApiWorld } from './api-world.ts'
import { overSse } from './subscribe.ts'

const world = await createApiWorld()
const { clock, tenant } = world
const hourMs = 3_600_000
const from = new Date(Math.floor(clock.now().getTime() / 1_000) * 1_000)
const since = from.toISOString()
const events = 50_000

setFlagsFromString('--expose_gc')
const collect = runInNewContext('gc') as () => void
const heapMb = () => {
  collect()
  return process.memoryUsage().heapUsed / 1_048_576
}

/** Events of the coming hour, evenly; the ids as acceptance makes them. */
const seedEvents = (count: number) =>
  world.admin.query(
    `insert into carillon.intents (tenant_id, id, kind, type, priority, event_id, source, accepted_at, recipients, payload)
     select $1, (left(carillon.first_id_at(t.at)::text, 24) || lpad(to_hex(n % 65536), 4, '0') || '00000000')::uuid,
       'event', 'load.happened', 1, 'event ' || n, 'graphql', t.at, 0,
       jsonb_build_object('data', jsonb_build_object('n', n, 'user', 'user-' || n % 1000, 'text', repeat('x', 500)), 'metadata', '{}'::jsonb,
         'event', '{"domain": "load"}'::jsonb)
     from generate_series(0, $2::int - 1) n
     cross join lateral (select $3::timestamptz + n * interval '1 hour' / $2::int as at) t`,
    [tenant, count, from],
  )
const seedPeople = (count: number, role: string) =>
  world.admin.query(
    `with added as (
       insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
       select $1, $3 || n, array[$3], $4, $4 from generate_series(0, $2::int - 1) n returning external_id
     ), points as (
       insert into carillon.contact_points (tenant_id, recipient_id, channel, address, position, created_at)
       select $1, external_id, 'email', external_id || '@example.com', 0, $4 from added
     )
     insert into carillon.members (tenant_id, kind, name, recipient_id) select $1, 'role', $3, external_id from added
     on conflict do nothing`,
    [tenant, count, role, from],
  )

const rule = (changes: object) => ({
  name: 'load',
  eventPattern: '',
  channels: ['email'],
  recipientSelector: { expression: 'event.data.user' },
  templateVars: { subject: 'x', body: 'x' },
  ...changes,
})

/** Each step of a run; `onStep` may end it. */
async function run(
  input: Partial<DraftInput>,
  onStep: (step: Progress) => boolean = () => false,
  pages?: PageSizes,
  check = () => {},
) {
  const draft = judgeDraft({ since, until: new Date(from.getTime() + 2 * hourMs).toISOString(), ...input }, clock.now())
  const read = <T>(work: Parameters<typeof readAsTenants<T>>[2]) => readAsTenants(world.api, [tenant], work)
  const gates = { enabledChannels: [], defaultChannels: ['email' as const] }
  const prepared = await read((trx) => prepareReplay(trx, tenant, draft, { gates, clock, ids: world.ids, check }))
  let last: Progress | undefined
  for await (last of replay(prepared, read, pages)) if (onStep(last)) break
  return last!
}

await seedEvents(events)
await seedPeople(1_000, 'user-')

describe('many events', () => {
  it('are decided page by page, and no page leaves anything in memory', async () => {
    const heap: number[] = []
    let steps = 0
    const { tally, isWhole } = await run({ rule: rule({ eventPattern: 'event.data.n % 2 == 0' }) }, ({ reachedAt }) => {
      assert.ok(reachedAt >= from)
      if (++steps % 10 === 0) heap.push(heapMb())
      return false
    })
    assert.ok(isWhole)
    assert.deepEqual([tally.events, tally.matched, tally.recipients], [events, events / 2, events / 2])
    assert.deepEqual(tally.byVerdict, { sent: events / 2 })
    assert.deepEqual([tally.newlySentCount, tally.newlySent.length], [events / 2, 20])
    assert.equal(steps, events / usualPages.intents + 1)
    assert.ok(Math.max(...heap) - heap[0]! < 16, `the heap grew: ${heap.map(Math.round).join(', ')} MB`)
  })

  it('are counted under a limit for each of a thousand people', async () => {
    const limits = [{ name: 'few', scope: 'USER', max: 5, calendar: 'MONTH', onExcess: 'SUPPRESS' }]
    const { tally } = await run({ rule: rule({}), limits })
    assert.deepEqual(tally.byVerdict, { sent: 5_000, 'suppressed:quota_exceeded': events - 5_000 })
  })

  it('may be left in the middle, and gone on with', async () => {
    const first = await run({ rule: rule({}) }, ({ tally }) => tally.events >= 10_000)
    assert.deepEqual([first.tally.events, first.isWhole], [10_000, false])
    const second = await run({ rule: rule({}), after: first.after })
    assert.deepEqual([second.tally.events, second.isWhole], [events - 10_000, true])
  })

  it('stop being decided when the caller of the subscription leaves', async () => {
    const subscription = 'subscription ($input: DryRunInput!) { dryRunProgress(input: $input) { share events } }'
    const input = {
      rule: { ...rule({}), channels: ['EMAIL'] },
      since,
      until: new Date(from.getTime() + hourMs).toISOString(),
    }
    for (let left = 0; left < 5; left++) {
      const held = await overSse(world, subscription, { input })
      const [step] = await held.take(1)
      assert.ok(step.dryRunProgress.events > 0 && step.dryRunProgress.share < 1, 'it is not over yet')
      await held.stop()
    }
    const two = await Promise.all([0, 1].map(() => overSse(world, subscription, { input })))
    await Promise.all(two.map((held) => held.take(1)))
    const refused = await world.error('query ($input: DryRunInput!) { dryRun(input: $input) { events } }', { input })
    assert.equal(refused.extensions.code, 'RATE_LIMITED')
    await Promise.all(two.map((held) => held.stop()))
  })
})

describe('many recipients of one event', () => {
  it('are decided and compared in pages, each of them once', async () => {
    await seedPeople(5_000, 'crowd-')
    const when = new Date(from.getTime() + 1.5 * hourMs)
    clock.set(when)
    const live = aRule({
      id: world.ids.id(),
      name: 'crowd',
      eventTypes: ['crowd.called'],
      selector: { roles: ['crowd-'] },
    })
    const { id, name, enabled } = live
    await saveRules(world.worker, tenant, [{ id, name, enabled, definition: definitionOf(live) }], 'test', when)
    clock.advance(1_000)
    const [intentId] = await world.plan([
      world.intent(
        { recipients: undefined, channels: undefined, subject: undefined, body: undefined, event: { domain: 'crowd' } },
        { kind: 'event', type: 'crowd.called', eventId: 'crowd' },
      ),
    ])
    const planned = await world.rows('select id from carillon.notifications where id > $1', [intentId])
    assert.equal(planned.length, 1_000, 'the first page of it was really planned')
    const pages = { intents: 10, recipients: 300 }
    const drafted = { name: 'crowd', eventTypes: ['crowd.called'] }
    const period = { since: when.toISOString() }
    const same = await run(
      { ...period, rule: rule({ ...drafted, recipientSelector: { roles: ['crowd-'] } }) },
      undefined,
      pages,
    )
    assert.deepEqual(same.tally.byVerdict, { sent: 5_000 })
    assert.deepEqual([same.tally.newlySentCount, same.tally.noLongerSentCount], [4_000, 0])
    const few = { userIds: ['crowd-0', 'crowd-1', 'user-0'] }
    const { tally } = await run({ ...period, rule: rule({ ...drafted, recipientSelector: few }) }, undefined, pages)
    assert.deepEqual([tally.recipients, tally.newlySentCount, tally.noLongerSentCount], [3, 1, 998])
    assert.equal(tally.noLongerSent.length, 20)
    assert.ok(String(tally.noLongerSent[0]!.notificationId) > firstIdAt(when.getTime()))
  })

  it('are left between two of their pages, too', async () => {
    let pages = 0
    const check = () => {
      if (++pages > 3) throw new Error('left')
    }
    const drafted = rule({ eventTypes: ['crowd.called'], recipientSelector: { roles: ['crowd-'] } })
    const period = { since: new Date(from.getTime() + 1.5 * hourMs).toISOString(), rule: drafted }
    await assert.rejects(run(period, undefined, { intents: 10, recipients: 300 }, check), /left/)
    assert.equal(pages, 4)
  })
})
