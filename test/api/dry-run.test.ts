/** A week that was really lived, and drafts of rules, preferences and limits over it: exact counts, by the settings of then. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { schema } from '../../src/api/graphql/schema.ts'
import type { Rule } from '../../src/domain/rule.ts'
import { asTenants } from '../../src/platform/db.ts'
import { addConsent } from '../../src/store/consents.ts'
import { createInhibition } from '../../src/store/inhibitions.ts'
import { changePreferences } from '../../src/store/preferences.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { definitionOf, saveRules } from '../../src/store/rules.ts'
import { createSilence } from '../../src/store/silences.ts'
import { addSuppressions } from '../../src/store/suppressions.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { aRule } from '../support/rules.ts'
import { createApiWorld, type Data } from './api-world.ts'
import { overSse } from './subscribe.ts'

const world = await createApiWorld()
const { clock, tenant } = world
const dayMs = 86_400_000
/** Midnight in UTC. */
const start = new Date(Math.ceil(clock.now().getTime() / dayMs) * dayMs)
const at = (day: number, time: string) =>
  `${new Date(start.getTime() + day * dayMs).toISOString().slice(0, 11)}${time}Z`
const since = at(0, '00:00:00')
const until = at(7, '00:00:00')

const orders = aRule({
  id: world.ids.id(),
  name: 'orders',
  eventPattern: 'event.data.total > 250',
  eventTypes: ['shop.order.*'],
  selector: { roles: ['team'] },
  templateVars: { subject: 'paid', body: 'paid' },
})
const draft = (changes: object = {}) => ({
  name: 'orders',
  eventPattern: 'event.data.total > 250',
  eventTypes: ['shop.order.*'],
  channels: ['EMAIL'],
  recipientSelector: { roles: ['team'] },
  templateVars: { subject: 'paid', body: 'paid' },
  ...changes,
})
const asTenant = <T>(work: Parameters<typeof asTenants<T>>[2]) => asTenants(world.api, [tenant], work)
const prefer = (recipientId: string, patch: Record<string, unknown>) =>
  asTenant((trx) => changePreferences(trx, tenant, { recipientId, patch, by: 'test' }, clock.now()))
const save = (rule: Rule) =>
  asTenant((trx) => {
    const { id, name, enabled } = rule
    return saveRules(trx, tenant, [{ id, name, enabled, definition: definitionOf(rule) }], 'test', clock.now())
  })
const event = (type: string, data: Record<string, unknown>, eventId = world.ids.id()) =>
  world.intent(
    {
      recipients: undefined,
      channels: undefined,
      subject: undefined,
      body: undefined,
      data,
      event: { domain: 'shop' },
    },
    { kind: 'event', type, eventId },
  )
const quiet = (startTime: string, endTime: string) => ({
  quietHours: { enabled: true, startTime, endTime, timezone: 'UTC', allowCritical: true },
})

const fields = `events matched recipients byVerdict samples newlySent newlySentCount noLongerSent noLongerSentCount faults complete
  continueAfter`
const query = `query ($input: DryRunInput!) { dryRun(input: $input) { ${fields} } }`
const dryRun = async (input: object): Promise<Data> =>
  (await world.data(query, { input: { since, until, ...input } })).dryRun
const refusal = async (input: object) => world.error(query, { input: { since, until, ...input } })

before(async () => {
  for (const { name } of await world.rows<{ name: string }>('select name from carillon.partitioned_tables')) {
    await world.admin.query('select carillon.ensure_partitions($1, $2, 12)', [name, start])
  }
  const people = ['ann', 'bob', 'cleo'].map((id) => ({
    externalId: id,
    name: id,
    locale: 'en',
    timezone: 'UTC',
    roles: ['team'],
    groups: [],
    contactPoints: [{ channel: 'email' as const, address: `${id}@example.com` }],
  }))
  await asTenant((trx) => upsertRecipients(trx, tenant, people, clock.now()))
  await save(orders)
  await prefer('ann', quiet('22:00', '07:00'))
  for (let day = 0; day < 7; day++) {
    clock.set(at(day, '00:00:00'))
    if (day === 2) await prefer('bob', { enabled: false })
    if (day === 4) await prefer('bob', { enabled: null })
    clock.set(at(day, '12:00:00'))
    await world.plan([event('shop.order.paid', { total: 100 * day, day }), event('shop.stock.low', { total: 999 })])
    clock.set(at(day, '23:00:00'))
    await world.plan([event('shop.order.paid', { total: 1_000, day })])
    await deliver()
  }
  clock.set(at(7, '08:00:00'))
})

/** Providers take what is queued: what was sent is not undone by what people say later. */
const deliver = () =>
  world.admin.query(`update carillon.deliveries set state = 'sent', sent_at = $1 where state = 'queued'`, [clock.now()])

/** Of every table: how many rows, and the last transaction that wrote one. */
async function traces(): Promise<string[]> {
  const tables = await world.rows<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('carillon', 'pgboss') and c.relkind = 'r' order by 1`,
  )
  return Promise.all(
    tables.map(async ({ name }) => {
      const [row] = await world.rows(`select count(*), max(xmin::text::bigint), max(ctid) from ${name}`)
      return `${name} ${JSON.stringify(row)}`
    }),
  )
}

describe('a dry run of a rule', () => {
  it('says what has really happened, where the draft is the rule', async () => {
    const said = await dryRun({ rule: draft() })
    assert.deepEqual(
      { ...said, samples: Object.keys(said.samples).sort() },
      {
        events: 21,
        matched: 11,
        recipients: 33,
        byVerdict: { sent: 23, 'snoozed:quiet_hours': 7, 'suppressed:opted_out': 3 },
        samples: ['sent', 'snoozed:quiet_hours', 'suppressed:opted_out'],
        newlySent: [],
        newlySentCount: 0,
        noLongerSent: [],
        noLongerSentCount: 0,
        faults: {},
        complete: true,
        continueAfter: null,
      },
    )
  })

  it('names who would no longer get what, by the preferences of then', async () => {
    const said = await dryRun({ rule: draft({ eventPattern: 'event.data.total > 450' }) })
    assert.deepEqual([said.events, said.matched, said.recipients], [21, 9, 27])
    assert.deepEqual(said.byVerdict, { sent: 18, 'snoozed:quiet_hours': 7, 'suppressed:opted_out': 2 })
    assert.equal(said.newlySentCount, 0)
    assert.equal(said.noLongerSentCount, 5)
    const gone = said.noLongerSent.map(({ recipientId, at: when, verdict }: Data) => [recipientId, when, verdict])
    const noon = (day: number) => new Date(at(day, '12:00:00')).toISOString()
    assert.deepEqual(gone.sort(), [
      ['ann', noon(3), 'not_matched'],
      ['ann', noon(4), 'not_matched'],
      ['bob', noon(4), 'not_matched'],
      ['cleo', noon(3), 'not_matched'],
      ['cleo', noon(4), 'not_matched'],
    ])
  })

  it('names who would newly get what, ids alone', async () => {
    const said = await dryRun({ rule: draft({ eventPattern: 'event.data.total > 50' }), sample: 4 })
    assert.deepEqual([said.matched, said.recipients, said.newlySentCount, said.noLongerSentCount], [13, 39, 5, 0])
    assert.equal(said.newlySent.length, 4)
    const [first] = said.newlySent
    assert.deepEqual(
      { ...first, intentId: undefined, eventId: undefined },
      {
        intentId: undefined,
        eventId: undefined,
        type: 'shop.order.paid',
        at: new Date(at(1, '12:00:00')).toISOString(),
        recipientId: 'ann',
        rule: 'orders',
        verdict: 'sent',
        channels: ['EMAIL'],
      },
    )
    assert.doesNotMatch(JSON.stringify(said), /example\.com|subject/)
  })

  it('counts what a new rule sends as new, and replaces another one where it is told to', async () => {
    const wanted = draft({ name: 'late orders', eventPattern: 'event.data.total >= 1000' })
    const isNew = await dryRun({ rule: wanted })
    assert.deepEqual([isNew.recipients, isNew.newlySentCount, isNew.noLongerSentCount], [21, 19, 0])
    const instead = await dryRun({ rule: wanted, replaces: 'orders' })
    assert.deepEqual([instead.recipients, instead.newlySentCount, instead.noLongerSentCount], [21, 0, 11])
  })

  it('tells who is not named any more from what is not matched any more', async () => {
    const said = await dryRun({ rule: draft({ recipientSelector: { userIds: ['ann', 'zoe'] } }) })
    assert.deepEqual(said.byVerdict, { sent: 4, 'snoozed:quiet_hours': 7, 'suppressed:no_address': 11 })
    assert.equal(said.noLongerSentCount, 19)
    assert.deepEqual([...new Set(said.noLongerSent.map(({ verdict }: Data) => verdict))], ['not_addressed'])
  })

  it('asks the period as if the draft had always been there, and on', async () => {
    const said = await dryRun({ rule: draft({ enabled: false, validFrom: at(6, '00:00:00') }) })
    assert.equal(said.matched, 11)
  })

  it('tells on how many events an expression failed', async () => {
    const said = await dryRun({ rule: draft({ eventPattern: 'event.data.missing > 1' }) })
    assert.deepEqual([said.matched, said.faults], [0, { 'orders: eventPattern: no_such_field': 14 }])
  })

  it('waits in digests, and by the schedule, as the rule would', async () => {
    const folded = await dryRun({ rule: draft({ batchWindow: 3_600 }) })
    assert.deepEqual(folded.byVerdict, { folded: 30, 'suppressed:opted_out': 3 })
    const later = await dryRun({ rule: draft({ schedule: { delay: 60 } }) })
    assert.deepEqual(later.byVerdict, { 'snoozed:scheduled': 30, 'suppressed:opted_out': 3 })
  })

  it('looks at the period alone', async () => {
    const said = await dryRun({ rule: draft(), since: at(3, '12:00:00'), until: at(4, '12:00:00') })
    assert.deepEqual([said.events, said.matched, said.recipients], [3, 2, 6])
  })
})

describe('a dry run of settings', () => {
  it('lets defaults hold for those who have not said otherwise', async () => {
    const said = await dryRun({ preferenceDefaults: quiet('11:00', '13:00') })
    assert.deepEqual([said.events, said.matched, said.recipients], [21, 11, 33])
    assert.deepEqual(said.byVerdict, { sent: 16, 'snoozed:quiet_hours': 14, 'suppressed:opted_out': 3 })
    assert.deepEqual([said.newlySentCount, said.noLongerSentCount], [0, 0])
  })

  it('counts limits in memory, in the order of time', async () => {
    const limit = { name: 'a day', scope: 'USER', channel: 'EMAIL', max: 1, calendar: 'DAY', onExcess: 'SUPPRESS' }
    const said = await dryRun({ limits: [limit] })
    assert.deepEqual(said.byVerdict, {
      sent: 16,
      'snoozed:quiet_hours': 7,
      'suppressed:opted_out': 3,
      'suppressed:quota_exceeded': 7,
    })
    assert.deepEqual([said.newlySentCount, said.noLongerSentCount], [0, 7])
    const ofRule = await dryRun({
      rule: draft({ name: 'late', eventPattern: 'event.data.total >= 1000' }),
      limits: limit,
    })
    assert.deepEqual(
      ofRule.byVerdict,
      { 'snoozed:quiet_hours': 7, 'suppressed:opted_out': 2, 'suppressed:quota_exceeded': 12 },
      'what the other rules send has used it up',
    )
    const sliding = await dryRun({ limits: [{ name: 'slow', scope: 'TENANT', max: 2, windowSeconds: 3_600 }] })
    assert.deepEqual(sliding.byVerdict, {
      sent: 20,
      'snoozed:quiet_hours': 7,
      'snoozed:rate_limited': 3,
      'suppressed:opted_out': 3,
    })
  })
})

describe('a dry run', () => {
  it('writes nothing', async () => {
    const before = await traces()
    await dryRun({ rule: draft({ eventPattern: 'true' }), preferenceDefaults: { enabled: false }, limits: [] })
    await dryRun({ limits: [{ name: 'one', scope: 'TENANT', max: 1, windowSeconds: 3_600 }] })
    assert.deepEqual(await traces(), before)
  })

  it('sees nothing of another tenant', async () => {
    const answer = await world.data(query, { input: { rule: draft(), since, until } }, { key: world.otherKey })
    assert.deepEqual([answer.dryRun.events, answer.dryRun.noLongerSentCount], [0, 0])
  })

  it('needs the scope manage', async () => {
    const { key } = await world.newKey(['read', 'send'])
    const { extensions } = await world.error(query, { input: { rule: draft(), since } }, { key })
    assert.equal(extensions.code, 'FORBIDDEN')
  })

  const faults: [name: string, input: object, path: string[]][] = [
    ['a period that ends before it begins', { since: until, until: since }, ['input', 'since']],
    ['no moment', { since: 'yesterday' }, ['input', 'since']],
    ['more examples than there may be', { sample: 101 }, ['input', 'sample']],
    ['a rule that does not compile', { rule: draft({ eventPattern: 'event.' }) }, ['input', 'rule', 'eventPattern']],
    ['a stand-in without a rule', { replaces: 'orders' }, ['input', 'replaces']],
    ['defaults that are none', { preferenceDefaults: [] }, ['input', 'preferenceDefaults']],
    [
      'a field of defaults that nobody knows',
      { preferenceDefaults: { loud: true } },
      ['input', 'preferenceDefaults', 'loud'],
    ],
    [
      'a zone that is none',
      { preferenceDefaults: { timezone: 'Mars/Base' } },
      ['input', 'preferenceDefaults', 'timezone'],
    ],
    [
      'a limit without a window',
      { limits: [{ name: 'x', scope: 'USER', max: 1 }] },
      ['input', 'limits', '0', 'windowSeconds'],
    ],
    ['a limit that is none', { limits: [1] }, ['input', 'limits', '0']],
    ['a place that is none', { after: 'x' }, ['input', 'after']],
  ]
  for (const [name, input, path] of faults) {
    it(`refuses ${name}, and names the place`, async () => {
      const { extensions } = await refusal(input)
      assert.deepEqual([extensions.code, extensions.path], ['VALIDATION_FAILED', path])
    })
  }

  it('tells over a subscription how far it has come, and at last the result', async () => {
    const subscription = `subscription ($input: DryRunInput!) {
      dryRunProgress(input: $input) { share reachedAt events matched recipients result { ${fields} } } }`
    const held = await overSse(world, subscription, { input: { rule: draft(), since, until } })
    const [last] = await held.take(1)
    const { result, ...progress } = last.dryRunProgress
    assert.deepEqual(progress, {
      share: 1,
      reachedAt: new Date(until).toISOString(),
      events: 21,
      matched: 11,
      recipients: 33,
    })
    assert.deepEqual(result, await dryRun({ rule: draft() }))
    assert.equal(await held.next(), undefined)
  })

  it('is a query of the contract', () => {
    assert.equal(String(schema.getQueryType()!.getFields().dryRun!.type), 'DryRunResult!')
  })
})

describe('what has a history', () => {
  it('is as it was then: rules, consents, suppressed addresses, zones', async () => {
    const first = at(8, '12:00:00')
    const categorised = draft({ name: 'news', eventPattern: '', eventTypes: ['shop.news'], category: 'marketing' })
    const told = async (granted: boolean) =>
      asTenant((trx) =>
        addConsent(trx, tenant, { recipientId: 'cleo', category: 'marketing', granted, source: 'form' }, clock.now()),
      )
    clock.set(first)
    await world.accept([event('shop.news', {})]) // nobody has agreed
    clock.advance(60_000)
    await told(true)
    clock.advance(60_000)
    await world.accept([event('shop.news', {})]) // cleo has
    clock.advance(60_000)
    await asTenant((trx) =>
      addSuppressions(
        trx,
        tenant,
        [
          {
            channel: 'email',
            address: 'cleo@example.com',
            reason: 'manual',
            source: 'test',
            expiresAt: new Date(at(8, '13:00:00')),
          },
        ],
        clock.now(),
      ),
    )
    clock.advance(60_000)
    await world.accept([event('shop.news', {})]) // her address is suppressed
    clock.set(at(8, '14:00:00'))
    await world.accept([event('shop.news', {})]) // and not any more
    clock.advance(60_000)
    await told(false)
    clock.advance(60_000)
    await world.accept([event('shop.news', {})]) // she has withdrawn
    clock.advance(60_000)
    const said = await dryRun({ rule: categorised, since: first, until: clock.now().toISOString() })
    assert.deepEqual(said.byVerdict, { sent: 2, 'suppressed:address_suppressed': 1, 'suppressed:no_consent': 12 })
  })

  it('keeps the rules apart that held at different times', async () => {
    clock.set(at(8, '18:00:00'))
    const from = clock.now().toISOString()
    const rule = aRule({
      id: world.ids.id(),
      name: 'timed',
      eventTypes: ['shop.timed'],
      selector: { userIds: ['ann'] },
    })
    const tell = async () => {
      clock.advance(60_000)
      await world.plan([event('shop.timed', {})])
      clock.advance(60_000)
    }
    await tell()
    await save(rule)
    await tell()
    await save({ ...rule, selector: { userIds: ['ann', 'bob', 'cleo'] } })
    await tell()
    await save({ ...rule, enabled: false })
    await tell()
    const said = await dryRun({ preferenceDefaults: {}, since: from, until: clock.now().toISOString() })
    assert.deepEqual([said.events, said.matched, said.recipients], [4, 2, 4])
    assert.deepEqual(said.byVerdict, { sent: 4 })
    assert.deepEqual([said.newlySentCount, said.noLongerSentCount], [0, 0])
  })

  it('is held back by the silences of then, and by alerts that were open then', async () => {
    clock.set(at(8, '20:00:00'))
    const from = clock.now().toISOString()
    const silence = { id: world.ids.id(), author: 'ann', comment: 'moving', matcher: 'event.data.host == "db"' }
    const inhibition = {
      id: world.ids.id(),
      name: 'site down',
      source: 'event.type == "ops.site"',
      target: 'event.type == "ops.host"',
      equal: ['event.data.site'],
      enabled: true,
    }
    await asTenant(async (trx) => {
      const window = { startsAt: new Date(at(8, '20:30:00')), endsAt: new Date(at(8, '20:40:00')) }
      await createSilence(trx, tenant, { ...silence, ...window }, clock.now())
      await createInhibition(trx, tenant, inhibition, clock.now())
    })
    const tell = async (time: string, type: string, data: Record<string, unknown>) => {
      clock.set(at(8, time))
      await world.accept([event(type, data)])
    }
    await tell('20:20:00', 'ops.host', { host: 'db', site: 'a' }) // before the silence
    await tell('20:35:00', 'ops.host', { host: 'db', site: 'a' }) // silenced
    await tell('20:36:00', 'ops.host', { host: 'web', site: 'a' })
    await tell('20:45:00', 'ops.site', { site: 'a', status: 'firing' })
    await tell('20:46:00', 'ops.host', { host: 'db', site: 'a' }) // inhibited
    await tell('20:47:00', 'ops.host', { host: 'db', site: 'b' })
    await tell('20:50:00', 'ops.site', { site: 'a', status: 'resolved' })
    await tell('20:51:00', 'ops.host', { host: 'db', site: 'a' })
    clock.set(at(8, '21:00:00'))
    const rule = draft({
      name: 'hosts',
      eventPattern: '',
      eventTypes: ['ops.host'],
      recipientSelector: { userIds: ['ann'] },
    })
    const said = await dryRun({ rule, since: from, until: clock.now().toISOString() })
    assert.deepEqual([said.events, said.matched], [8, 6])
    assert.deepEqual(said.byVerdict, { sent: 4, 'suppressed:inhibited': 1, 'suppressed:silenced': 1 })
  })

  it('reckons quiet hours in the zone that a person had then', async () => {
    const from = at(9, '02:00:00')
    clock.set(at(9, '01:00:00'))
    await prefer('cleo', {
      ...quiet('22:00', '07:00'),
      quietHours: { ...quiet('22:00', '07:00').quietHours, timezone: undefined },
      timezone: 'America/New_York',
    })
    clock.set(at(9, '03:30:00')) // 22:30 in New York
    await world.accept([event('shop.zone', {})])
    clock.advance(60_000)
    await prefer('cleo', { timezone: 'Asia/Tokyo' })
    clock.advance(60_000) // 12:32 in Tokyo
    await world.accept([event('shop.zone', {})])
    clock.advance(60_000)
    const rule = draft({
      name: 'zone',
      eventPattern: '',
      eventTypes: ['shop.zone'],
      recipientSelector: { userIds: ['cleo'] },
    })
    const said = await dryRun({ rule, since: from, until: clock.now().toISOString() })
    assert.deepEqual(said.byVerdict, { sent: 1, 'snoozed:quiet_hours': 1 })
  })
})

describe('a draft that changes nothing', () => {
  it('changes nothing for requests and events of every kind', async () => {
    clock.set(at(10, '22:30:00'))
    const from = clock.now().toISOString()
    const folding = { name: 'folding', eventTypes: ['mix.folded'], selector: { userIds: ['cleo', 'ann'] } }
    await save(aRule({ ...folding, id: world.ids.id(), digest: { windowMs: 3_600_000 } }))
    const failing = { subject: { cel: 'event.data.missing' } }
    await save(aRule({ id: world.ids.id(), name: 'failing', eventTypes: ['mix.failing'], templateVars: failing }))
    clock.advance(1_000)
    const to = (id: string) => ({ type: 'user' as const, id })
    const soon = new Date(clock.now().getTime() + 60_000).toISOString()
    const later = new Date(clock.now().getTime() + 12 * 3_600_000).toISOString()
    const requests = [
      world.intent({ recipients: [{ type: 'role', id: 'team' }] }),
      world.intent({ recipients: [{ type: 'role', id: 'nobody' }] }),
      world.intent({ recipients: [to('ann'), to('bob'), { type: 'user', email: 'x@example.com' }] }),
      world.intent({ recipients: [to('zoe')], channels: ['sms'], fallbackChannels: ['in_app'] }),
      world.intent({ recipients: [to('zoe')], channels: ['audit'] }),
      world.intent({ recipients: [to('zoe')], channels: ['audit', 'sms'] }),
      world.intent({ recipients: [to('ann')], template: 'no such template' }),
      world.intent({ recipients: [to('ann')] }, { expiresAt: soon }),
      world.intent({ recipients: [to('ann')] }, { priority: 3 }),
      world.intent({ recipients: [to('ann')] }, { category: 'marketing' }),
      world.intent({
        recipients: [{ type: 'system', id: 'pager', webhookUrl: 'https://example.com' }],
        channels: ['webhook'],
      }),
      event('mix.folded', {}),
      event('mix.failing', {}),
      event('mix.unmatched', {}),
    ]
    const [scheduled] = [world.intent({ recipients: [to('ann')] }, { scheduledAt: later })]
    await world.plan(requests)
    const [answer] = await world.accept([scheduled!])
    clock.set(later)
    await processIntents({ tenant_id: tenant, ids: [answer!.intentId] }, world.planning)
    clock.advance(60_000)
    const said = await dryRun({ preferenceDefaults: {}, since: from, until: clock.now().toISOString() })
    assert.deepEqual([said.newlySent, said.noLongerSent], [[], []])
    assert.deepEqual([said.events, said.matched], [15, 13])
    assert.deepEqual(said.faults, { 'failing: templateVars.subject: no_such_field': 1 })
    assert.deepEqual(said.byVerdict, {
      sent: 9,
      'snoozed:quiet_hours': 2,
      folded: 2,
      expired: 1,
      'failed:template_not_found': 1,
      'suppressed:no_address': 1,
      'suppressed:no_consent': 1,
      'suppressed:no_recipients': 1,
    })
    const [row] = await world.rows<{ count: number }>(
      'select count(*)::int from carillon.notifications n where n.tenant_id = $1 and n.created_at >= $2',
      [tenant, from],
    )
    assert.equal(said.recipients, row!.count)
  })
})
