/** Rules on the real database, from what is saved to what is planned. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rule } from '../../src/domain/rule.ts'
import type { RuleFault } from '../../src/pipeline/match/match-events.ts'
import { inTransaction } from '../../src/platform/db.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { definitionOf, deleteRules, saveRules } from '../../src/store/rules.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { aRule } from '../support/rules.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld } from '../support/world.ts'

const clock = testClock(new Date())
const world = await createWorld(clock)
const { worker, tenant } = world

const saved: string[] = []
/** Rules that stand alone until the next test, under ids of their own. */
async function only(...rules: Partial<Rule>[]): Promise<Rule[]> {
  const all = rules.map((rule) => aRule({ templateVars: { subject: 'x', body: 'y' }, ...rule, id: world.ids.id() }))
  await inTransaction(worker, async (trx) => {
    await deleteRules(trx, tenant, saved.splice(0), clock.now())
    await write(all, trx)
  })
  saved.push(...all.map(({ id }) => id))
  clock.advance(1_000)
  return all
}
const write = (rules: readonly Rule[], on: Parameters<typeof saveRules>[0]) => {
  const rows = rules.map((rule) => {
    return { id: rule.id, name: rule.name, enabled: rule.enabled, definition: definitionOf(rule) }
  })
  return saveRules(on, tenant, rows, 'test', clock.now())
}

const event = (type: string, data: Record<string, unknown> = {}) =>
  world.intent(
    {
      recipients: undefined,
      channels: undefined,
      subject: undefined,
      body: undefined,
      data,
      event: { domain: 'shop' },
    },
    { kind: 'event', type, eventId: world.ids.id() },
  )

const planned = (intentIds: readonly string[]) =>
  world.rows<{
    intent: string
    recipient_type: string
    recipient_id: string
    rule_id: string
    rule_version: number
    vars: Record<string, unknown>
    deliveries: string[] | null
  }>(
    `select carillon.intent_id_of(n.id) as intent, n.recipient_type::text, n.recipient_id, n.rule_id, n.rule_version, n.vars,
       array(select d.channel || ' ' || d.state || ' ' || d.address || coalesce(' ' || d.reason, '') from carillon.deliveries d
             where d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id) order by d.id) as deliveries
     from carillon.notifications n where n.tenant_id = $1 and carillon.intent_id_of(n.id) = any ($2) order by n.id`,
    [tenant, intentIds],
  )

await upsertRecipients(
  worker,
  tenant,
  ['ann', 'bob', 'cid'].map((id) => ({
    externalId: id,
    name: id.toUpperCase(),
    locale: null,
    timezone: null,
    roles: id === 'cid' ? ['ops'] : [],
    groups: [],
    contactPoints: [{ channel: 'email' as const, address: `${id}@example.com` }],
  })),
  clock.now(),
)

test('a rule notifies whom its expression, its lists, its roles and its addresses name, each once', async () => {
  const [rule] = await only({
    selector: {
      userIds: ['ann'],
      roles: ['ops'],
      expression: 'event.data.watchers',
      addresses: [{ type: 'user', email: 'ops@example.com' }],
    },
  })
  const [id] = await world.plan([event('a', { watchers: ['bob', 'ann', 'cid'] })])
  const rows = await planned([id!])
  assert.deepEqual(rows.map(({ deliveries }) => deliveries!.join()).sort(), [
    'email queued ann@example.com',
    'email queued bob@example.com',
    'email queued cid@example.com',
    'email queued ops@example.com',
  ])
  for (const row of rows) assert.deepEqual([row.rule_id, row.rule_version], [rule!.id, 1])
})

test('fixed targets get what a rule sends, on their own channels', async () => {
  await only({
    channels: ['slack', 'pagerduty'],
    selector: {
      addresses: [
        { type: 'system', slackId: '#orders' },
        { type: 'system', pagerdutyKey: 'service-1' },
      ],
    },
  })
  const [id] = await world.plan([event('a')])
  const rows = await planned([id!])
  const queued = rows.flatMap(({ deliveries }) => deliveries!.filter((text) => text.includes('queued')))
  assert.deepEqual(queued.sort(), ['pagerduty queued service-1', 'slack queued #orders'])
})

test('a fixed target is reached where it is, though the rule has other channels for people', async () => {
  await only({
    channels: ['email', 'in_app'],
    fallbackChannels: ['sms'],
    selector: { userIds: ['ann'], addresses: [{ type: 'system', slackId: '#orders' }] },
  })
  const [id] = await world.plan([event('a')])
  const rows = await planned([id!])
  assert.deepEqual(rows.map(({ deliveries }) => deliveries!.filter((text) => !text.startsWith('audit'))).sort(), [
    ['email queued ann@example.com', 'in_app queued '],
    ['slack queued #orders'],
  ])
})

test('variables are evaluated for each recipient, and stand with the notification', async () => {
  await only({
    selector: { userIds: ['ann', 'bob'] },
    templateVars: { subject: { cel: '"Hello " + recipient.name' }, body: 'y', net: { cel: 'event.data.total * 2' } },
  })
  const [id] = await world.plan([event('a', { total: 21 })])
  assert.deepEqual(
    (await planned([id!])).map(({ vars }) => vars),
    [
      { subject: 'Hello ANN', body: 'y', net: 42 },
      { subject: 'Hello BOB', body: 'y', net: 42 },
    ],
  )
})

test('a variable that fails for one recipient fails that notification alone, and is told', async () => {
  const [rule] = await only({
    selector: { userIds: ['ann', 'nobody-known'] },
    templateVars: { subject: { cel: '"Hello " + recipient.name.split("N")[1]' }, body: 'y' },
  })
  const faults: RuleFault[] = []
  const ruleHealth = {
    observe: (_: string, notes: { faults: readonly RuleFault[] }) => void faults.push(...notes.faults),
  }
  const [{ intentId: id } = { intentId: '' }] = await world.accept([event('a')])
  await processIntents({ tenant_id: tenant, ids: [id] }, { ...world.planning, ruleHealth })
  const rows = await world.rows<{ recipient_id: string; outcome: string | null }>(
    'select recipient_id, outcome::text from carillon.notifications where tenant_id = $1 and carillon.intent_id_of(id) = $2 order by 1',
    [tenant, id],
  )
  assert.deepEqual(rows, [
    { recipient_id: 'ann', outcome: null },
    { recipient_id: 'nobody-known', outcome: 'failed' },
  ])
  assert.deepEqual(
    faults.map(({ ruleId, part }) => [ruleId, part]),
    [[rule!.id, 'templateVars.subject']],
  )
})

test('a rule that fails takes nothing with it: no other rule, no other event of the chunk', async () => {
  const [good] = await only(
    { selector: { userIds: ['ann'] } },
    { eventPattern: 'event.data.missing > 1' },
    { selector: { expression: 'event.data.missing' } },
    { templateVars: { subject: { cel: 'event.data.missing' }, body: 'y' } },
    { batchKey: 'event.data.missing', digest: { windowMs: 60_000 } },
    { eventPattern: 'event.data.list.all(a, event.data.list.all(b, event.data.list.all(c, a + b + c >= 0)))' },
  )
  const list = Array.from({ length: 500 }, (_, index) => index)
  const ids = await world.plan(Array.from({ length: 5 }, () => event('a', { list })))
  const rows = await planned(ids)
  assert.deepEqual(
    rows.map(({ rule_id, recipient_id }) => [rule_id, recipient_id]),
    ids.map(() => [good!.id, 'ann']),
  )
})

test('a change is known within a second, and an event that was planned before is not planned anew', async () => {
  const [rule] = await only({ selector: { userIds: ['ann'] } })
  const intents = [event('a')]
  const [id] = await world.plan(intents)
  await inTransaction(worker, (trx) => write([{ ...rule!, selector: { userIds: ['bob', 'cid'] } }], trx))
  clock.advance(1_000)
  await processIntents({ tenant_id: tenant, ids: [id!], tries: 1 }, world.planning)
  assert.deepEqual(
    (await planned([id!])).map(({ recipient_id }) => recipient_id),
    ['ann'],
  )
  const [next] = await world.plan([event('a')])
  assert.deepEqual(
    (await planned([next!])).map(({ recipient_id, rule_version }) => [recipient_id, rule_version]),
    [
      ['bob', 2],
      ['cid', 2],
    ],
  )
})

test('digests are kept apart by the key, and by the recipient', async () => {
  await only({
    selector: { userIds: ['ann', 'bob'] },
    digest: { windowMs: 600_000 },
    batchKey: 'event.data.region',
  })
  await world.plan([event('a', { region: 'eu' }), event('a', { region: 'us' }), event('a', { region: 'eu' })])
  const digests = await world.rows<{ recipient_id: string; key: string; size: number }>(
    `select d.recipient_id, split_part(d.key, ':', 3) as key, count(m.*)::int as size
     from carillon.digests d join carillon.digest_members m on m.tenant_id = d.tenant_id and m.digest_id = d.id
     where d.tenant_id = $1 and d.state = 'open' group by 1, 2 order by 1, 2`,
    [tenant],
  )
  assert.deepEqual(
    digests.map(({ recipient_id, key, size }) => `${recipient_id} ${key} ${size}`),
    ['ann eu 2', 'ann us 1', 'bob eu 2', 'bob us 1'],
  )
})

test('a delay is a wait, from when the event was accepted', async () => {
  await only({ selector: { userIds: ['ann'] }, schedule: { delayMs: 3_600_000 } })
  const [id] = await world.plan([event('a')])
  const [row] = await planned([id!])
  assert.match(row!.deliveries!.join(), /^email snoozed ann@example.com scheduled$/)
})

test('an event that no rule wants is unmatched', async () => {
  await only({ eventTypes: ['b.*'] })
  const [id] = await world.plan([event('a')])
  const [intent] = await world.rows<{ outcome: string }>('select outcome::text from carillon.intents where id = $1', [
    id,
  ])
  assert.equal(intent!.outcome, 'unmatched')
})
