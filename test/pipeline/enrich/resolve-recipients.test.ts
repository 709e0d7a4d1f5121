import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecipientRef } from '../../../src/domain/intent.ts'
import { noRules } from '../../../src/domain/rule-index.ts'
import type { Wanted } from '../../../src/domain/want.ts'
import type { Intent } from '../../../src/pipeline/enrich/load-intents.ts'
import { resolveRecipients as resolveWants } from '../../../src/pipeline/enrich/resolve-recipients.ts'
import { matchIntents } from '../../../src/pipeline/match/match-intents.ts'
import type { Queryable } from '../../../src/platform/db.ts'
import type { Chunk } from '../../../src/queue/queues.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
await world.admin.query(
  `insert into carillon.recipients (tenant_id, external_id, roles, groups, created_at, updated_at)
   select $1::uuid, 'm' || lpad(n::text, 3, '0'), array['all', 'role-' || n], array['half-' || n % 2], now(), now()
   from generate_series(1, 200) n`,
  [world.tenant],
)

const intentTo = (...recipients: RecipientRef[]): Intent => {
  const { payload, type, priority } = world.intent({ recipients })
  return {
    tenantId: world.tenant,
    id: world.ids.id(),
    kind: 'direct',
    type,
    priority,
    acceptedAt: world.clock.now(),
    payload,
  }
}
async function resolveRecipients(on: Queryable, intents: readonly Intent[], chunk: Chunk, limit: number) {
  const now = world.clock.now()
  return resolveWants(on, (await matchIntents(intents, noRules, now)).wanted, chunk, limit, now)
}
const role = (id: string): RecipientRef => ({ type: 'role', id })

function counted(): { on: Queryable; count(): number } {
  let count = 0
  return {
    on: {
      query: (config) => {
        count++
        return world.worker.query(config)
      },
    },
    count: () => count,
  }
}

test('a chunk of many roles takes two statements', async () => {
  const { on, count } = counted()
  const intents = Array.from({ length: 40 }, (_one, n) =>
    intentTo(role(`role-${n + 1}`), { type: 'group', id: 'nobody' }, { type: 'user', id: 'ann' }),
  )
  const { addressees, continuations } = await resolveRecipients(
    on,
    intents,
    { tenant_id: world.tenant, ids: [] },
    1_000,
  )
  assert.equal(count(), 2)
  assert.equal(addressees.length, 120)
  assert.deepEqual(continuations, [])
  assert.deepEqual(
    addressees.slice(0, 3).map(({ ordinal, recipient, empty }) => [ordinal, recipient.id, empty]),
    [
      [1, 'm001', undefined],
      [2, 'nobody', true],
      [3, 'ann', undefined],
    ],
  )
})

test('roles that the chunk has no room for are not loaded, and one that is named again is not loaded again', async () => {
  const { on, count } = counted()
  const intents = Array.from({ length: 300 }, () => intentTo(role('all')))
  const { addressees, continuations } = await resolveRecipients(on, intents, { tenant_id: world.tenant, ids: [] }, 450)
  assert.equal(count(), 2)
  assert.equal(addressees.length, 450)
  assert.equal(continuations.length, 298)
  assert.deepEqual(continuations[0]!.after, { ref: 0, recipientId: 'm050', ordinal: 50 })
  assert.deepEqual(
    continuations.slice(1).map(({ pageBegun }) => pageBegun),
    Array.from({ length: 297 }, () => false),
  )
})

test('more roles than are loaded at once are all there', async () => {
  const refs = Array.from({ length: 200 }, (_one, n) => role(`role-${n + 1}`))
  const { addressees } = await resolveRecipients(
    world.worker,
    [intentTo(...refs), intentTo(...refs)],
    { tenant_id: world.tenant, ids: [] },
    1_000,
  )
  assert.equal(addressees.length, 400)
  assert.equal(new Set(addressees.map(({ recipient }) => recipient.id)).size, 200)
})

test('a resumed role goes on behind its last member, and what stands behind it begins', async () => {
  const intent = intentTo(role('all'), { type: 'group', id: 'half-0' })
  const seen: string[] = []
  let after: NonNullable<Parameters<typeof resolveRecipients>[2]['after']> | undefined
  for (let page = 0; page < 20; page++) {
    const { addressees, continuations } = await resolveRecipients(
      world.worker,
      [intent],
      { tenant_id: world.tenant, ids: [intent.id], after },
      30,
    )
    seen.push(...addressees.map(({ ordinal, recipient }) => `${ordinal} ${recipient.id}`))
    if (continuations.length === 0) break
    after = continuations[0]!.after
  }
  assert.equal(seen.length, 300)
  assert.equal(new Set(seen.map((line) => line.split(' ')[0])).size, 300, 'each has an ordinal of its own')
})

test('where the rule of a page is gone, the next one begins at its beginning', async () => {
  const want = (rule: string): Wanted<Intent> => ({
    intent,
    refs: [{ type: 'user', id: `inline-${rule}`, email: 'a@example.com' }],
    audience: { userIds: [], roles: ['all'], groups: [] },
    priority: 1,
    rule: { id: rule, name: rule, version: 1 },
  })
  const intent = { ...intentTo(), kind: 'event' as const }
  const rules = ['gone', 'next'].map((id) => ({ id, version: 1 }))
  const chunk = { tenant_id: world.tenant, ids: [], after: { ref: 1, recipientId: 'm100', ordinal: 101, rules } }
  const all = await resolveWants(world.worker, [want('next')], chunk, 1_000, world.clock.now())
  assert.equal(all.addressees.length, 201)
  assert.deepEqual(
    all.addressees.slice(0, 2).map(({ ordinal, recipient }) => [ordinal, recipient.id]),
    [
      [102, 'inline-next'],
      [103, 'm001'],
    ],
  )
  const both = await resolveWants(world.worker, [want('gone'), want('next')], chunk, 1_000, world.clock.now())
  assert.equal(both.addressees.length, 100 + 201)
})
