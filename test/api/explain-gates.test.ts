/** Why somebody got nothing, or not yet: every reason that a gate can give, through the pipeline, in the words of explain. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { undefinedCategory } from '../../src/domain/category.ts'
import { type GateReason, gateReasons } from '../../src/domain/decision.ts'
import type { NewIntent } from '../../src/domain/intent.ts'
import type { NewLimit } from '../../src/domain/limits/limit-rules.ts'
import { upsertCategory } from '../../src/store/categories.ts'
import { addConsent } from '../../src/store/consents.ts'
import { createInhibition } from '../../src/store/inhibitions.ts'
import { createLimit } from '../../src/store/limits.ts'
import { defaultsOf } from '../../src/store/preferences.ts'
import { createSilence } from '../../src/store/silences.ts'
import { addSuppressions } from '../../src/store/suppressions.ts'
import type { ProcessIntentsDeps } from '../../src/workers/process-intents.ts'
import {
  createExplaining,
  decidingStep,
  gateOrder,
  gatesOf,
  noon,
  type ToldStep,
  today,
  tomorrow,
} from './explaining.ts'

const on = await createExplaining()
const { world, clock, asApi, person, prefer, to, event, plan, saveRule, passed, explain } = on
const { tenant, ids, worker } = world

const category = (name: string, over: object = {}) =>
  upsertCategory(worker, tenant, { ...undefinedCategory(name), ...over }, clock.now()).then(passed)
const limit = (over: Partial<NewLimit> & { name: string }) =>
  createLimit(
    worker,
    tenant,
    ids.id(),
    { scope: 'user', max: 1, window: { seconds: 3_600 }, allowCritical: false, ...over },
    100,
    clock.now(),
  ).then(passed)

interface Case {
  reason: GateReason
  name?: string
  /** Makes it so, and says what is asked for. */
  make(who: string): Promise<NewIntent>
  deps?: Partial<ProcessIntentsDeps>
  outcome: string
  summary: RegExp | ((who: string) => string)
  step: Partial<ToldStep>
}

const of = (who: string, category: string) => to(who, {}, { category })

const cases: Case[] = [
  {
    reason: 'silenced',
    async make(who) {
      const silence = { id: ids.id(), matcher: `event.type == "silent.${who}"`, startsAt: clock.now(), author: 'eve' }
      const endsAt = new Date(`${today}T18:00:00Z`)
      await createSilence(worker, tenant, { ...silence, endsAt, comment: 'we are moving' }, clock.now())
      passed()
      return to(who, {}, { type: `silent.${who}` })
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: a silence covers it until ${today}T18:00:00.000Z (“we are moving”).`,
    step: { gate: 'silence', verdict: 'suppress', until: `${today}T18:00:00.000Z` },
  },
  {
    reason: 'inhibited',
    async make(who) {
      const inhibition = {
        id: ids.id(),
        name: who,
        source: 'event.type == "site.down"',
        target: 'event.type == "link.down"',
      }
      await createInhibition(worker, tenant, { ...inhibition, equal: ['event.data.site'], enabled: true }, clock.now())
      passed()
      await plan(to(who, { data: { site: 'b1' } }, { type: 'site.down' }))
      return to(who, { data: { site: 'b1' } }, { type: 'link.down' })
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: an alert that is open inhibits it.`,
    step: { gate: 'silence', verdict: 'suppress' },
  },
  {
    reason: 'expired',
    make: async (who) => to(who, {}, { expiresAt: new Date(clock.now().getTime() - 1).toISOString() }),
    outcome: 'expired',
    summary: /^Not sent to \S+: it expired at \d{4}-\d\d-\d\dT\S+Z\.$/,
    step: { gate: 'validity', verdict: 'expire' },
  },
  {
    reason: 'expired',
    name: 'while it would wait',
    async make(who) {
      await prefer(who, { quietHours: { enabled: true, startTime: '12:00', endTime: '20:00', allowCritical: true } })
      return to(who, {}, { expiresAt: `${today}T15:00:00.000Z` })
    },
    outcome: 'expired',
    summary: (who) =>
      `Not sent to ${who}: it would have to wait until ${today}T19:00:00.000Z, and expires at ${today}T15:00:00.000Z.`,
    step: { gate: 'quiet_hours', verdict: 'snooze', reason: 'quiet_hours' },
  },
  {
    reason: 'template_not_found',
    make: async (who) => to(who, { template: 'nowhere', subject: undefined, body: undefined }),
    outcome: 'failed',
    summary: (who) => `Failed for ${who}: its template is not there, or switched off.`,
    step: { gate: 'validity', verdict: 'fail' },
  },
  {
    reason: 'channel_disabled',
    make: async (who) => to(who),
    deps: { gates: { enabledChannels: ['in_app'], defaultChannels: ['email'] } },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: email: the channel is switched off for the whole installation.`,
    step: { gate: 'validity', verdict: 'suppress', channel: 'EMAIL' },
  },
  {
    reason: 'no_address',
    make: async (who) => to(who, { channels: ['sms'] }),
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: sms: no address of the recipient is known.`,
    step: { gate: 'validity', verdict: 'suppress', channel: 'SMS' },
  },
  {
    reason: 'no_recipients',
    make: async () => to('', { recipients: [{ type: 'role', id: 'nobody-has-it' }] }),
    outcome: 'suppressed',
    summary: () => 'Not sent to nobody-has-it: the role or group that was named has no members.',
    step: { gate: 'validity', verdict: 'suppress' },
  },
  {
    reason: 'rule_error',
    async make(who) {
      const templateVars = { subject: { cel: 'recipient.attributes.missing' }, body: 'x' }
      await saveRule({ name: `var-${who}`, eventTypes: [`var.${who}`], selector: { userIds: [who] }, templateVars })
      return event(`var.${who}`)
    },
    outcome: 'failed',
    summary: (who) =>
      `Failed for ${who} (rule “var-${who}”): an expression among the rule’s template variables failed for this recipient.`,
    step: { gate: 'validity', verdict: 'fail' },
  },
  {
    reason: 'recipient_disabled',
    async make(who) {
      await person(who, { enabled: false })
      return to(who)
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: the recipient is switched off.`,
    step: { gate: 'recipient', verdict: 'suppress', inputs: { enabled: false } },
  },
  {
    reason: 'address_suppressed',
    async make(who) {
      const bounced = { channel: 'email' as const, address: `${who}@example.com`, source: 'ses' }
      await asApi((trx) => addSuppressions(trx, tenant, [{ ...bounced, reason: 'hard_bounce' }], clock.now()))
      return to(who)
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: email: the address is on the suppression list (hard_bounce).`,
    step: { gate: 'suppression', verdict: 'suppress', channel: 'EMAIL' },
  },
  {
    reason: 'no_consent',
    make: async (who) => of(who, 'marketing'),
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: there is no consent to category “marketing” on record.`,
    step: { gate: 'consent', verdict: 'suppress', inputs: { category: 'marketing', granted: null } },
  },
  {
    reason: 'no_consent',
    name: 'any more',
    async make(who) {
      const word = {
        recipientId: who,
        category: 'marketing',
        source: 'web',
        granted: false,
        at: new Date(`${today}T10:00:00Z`),
      }
      await asApi((trx) => addConsent(trx, tenant, word, clock.now()))
      return of(who, 'marketing')
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: consent to category “marketing” was withdrawn at ${today}T10:00:00.000Z.`,
    step: { gate: 'consent', verdict: 'suppress' },
  },
  {
    reason: 'opted_out',
    make: (who) => prefer(who, { enabled: false }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: the recipient’s preferences switch everything off.`,
    step: { gate: 'preference', verdict: 'suppress', versions: { preferences: 1 } },
  },
  {
    reason: 'paused',
    make: (who) => prefer(who, { pausedUntil: '2999-12-24T00:00:00.000Z' }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: the recipient’s preferences pause everything until 2999-12-24T00:00:00.000Z.`,
    step: { gate: 'preference', verdict: 'suppress', until: '2999-12-24T00:00:00.000Z' },
  },
  {
    reason: 'channel_opted_out',
    make: (who) => prefer(who, { channels: { email: { enabled: false } } }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: the recipient’s preferences switch the channel off.`.replace(': the', ': email: the'),
    step: { gate: 'preference', verdict: 'suppress', channel: 'EMAIL' },
  },
  {
    reason: 'category_opted_out',
    make: (who) => prefer(who, { categories: { orders: { enabled: false } } }).then(() => of(who, 'orders')),
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: the recipient’s preferences switch category “orders” off.`,
    step: { gate: 'preference', verdict: 'suppress' },
  },
  {
    reason: 'category_channel_opted_out',
    make: (who) => prefer(who, { categories: { orders: { channels: ['in_app'] } } }).then(() => of(who, 'orders')),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: the recipient’s preferences allow category “orders” only on other channels (in_app).`,
    step: { gate: 'preference', verdict: 'suppress', channel: 'EMAIL' },
  },
  {
    reason: 'event_type_opted_out',
    make: (who) => prefer(who, { eventTypes: { 'test.happened': { enabled: false } } }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: the recipient’s preferences switch event type “test.happened” off.`,
    step: { gate: 'preference', verdict: 'suppress' },
  },
  {
    reason: 'event_type_channel_opted_out',
    make: (who) => prefer(who, { eventTypes: { 'test.happened': { channels: ['in_app'] } } }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: the recipient’s preferences allow event type “test.happened” only on other channels (in_app).`,
    step: { gate: 'preference', verdict: 'suppress', channel: 'EMAIL' },
  },
  {
    reason: 'below_min_priority',
    make: (who) => prefer(who, { minPriority: 'HIGH' }).then(() => to(who)),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: its priority NORMAL is below HIGH, which the recipient’s preferences ask for.`,
    step: { gate: 'preference', verdict: 'suppress' },
  },
  {
    reason: 'below_min_priority',
    name: 'of the category itself',
    make: (who) => category('loud', { minPriority: 2 }).then(() => of(who, 'loud')),
    outcome: 'suppressed',
    summary: (who) =>
      `Not sent to ${who}: its priority NORMAL is below HIGH, which the category’s settings ask for in category “loud”.`,
    step: { gate: 'preference', verdict: 'suppress' },
  },
  {
    reason: 'digest',
    make: (who) => prefer(who, { categories: { news: { frequency: 'daily' } } }).then(() => of(who, 'news')),
    outcome: 'folded',
    summary: /^Folded for \S+ into digest [0-9a-f-]{36}, which goes out at \d{4}-\d\d-\d\dT08:00:00\.000Z\.$/,
    step: { gate: 'digest', verdict: 'fold' },
  },
  {
    reason: 'scheduled',
    make: async (who) => to(who, { schedule: { localTime: '09:00' } }),
    outcome: 'scheduled',
    summary: (who) =>
      `Waits until ${tomorrow}T08:00:00.000Z to be sent to ${who} by email: it was asked for 09:00 (Africa/Lagos).`,
    step: { gate: 'schedule', verdict: 'snooze', until: `${tomorrow}T08:00:00.000Z` },
  },
  {
    reason: 'quiet_hours',
    make: (who) =>
      prefer(who, { quietHours: { enabled: true, startTime: '12:00', endTime: '20:00', allowCritical: true } }).then(
        () => to(who),
      ),
    outcome: 'waiting',
    summary: (who) =>
      `Waits until ${today}T19:00:00.000Z to be sent to ${who} by email: quiet hours are 12:00 to 20:00 (Africa/Lagos) by the recipient’s preferences.`,
    step: { gate: 'quiet_hours', verdict: 'snooze', until: `${today}T19:00:00.000Z` },
  },
  {
    reason: 'send_window',
    make: (who) =>
      category('office', { sendWindow: { startTime: '15:00', endTime: '17:00' } }).then(() => of(who, 'office')),
    outcome: 'waiting',
    summary: (who) =>
      `Waits until ${today}T14:00:00.000Z to be sent to ${who} by email: the send window of the category is 15:00 to 17:00 (Africa/Lagos).`,
    step: { gate: 'send_window', verdict: 'snooze', until: `${today}T14:00:00.000Z` },
  },
  {
    reason: 'rate_limited',
    async make(who) {
      await limit({ name: 'few', category: 'few' })
      await plan(of(who, 'few'))
      return of(who, 'few')
    },
    outcome: 'waiting',
    summary:
      /^Waits until \d{4}-\d\d-\d\dT13:\S+Z to be sent to \S+ by email: limit “few” is used up \(1 in 3600 s\)\.$/,
    step: { gate: 'rate_limit', verdict: 'snooze', channel: 'EMAIL' },
  },
  {
    reason: 'quota_exceeded',
    async make(who) {
      await limit({ name: 'month', category: 'rare', window: { calendar: 'month' }, onExcess: 'suppress' })
      await plan(of(who, 'rare'))
      return of(who, 'rare')
    },
    outcome: 'suppressed',
    summary: (who) => `Not sent to ${who}: quota “month” is used up (1 a month).`,
    step: { gate: 'rate_limit', verdict: 'suppress', channel: 'EMAIL' },
  },
]

const tried = new Set<string>()
for (const [place, { reason, name, make, deps, outcome, summary, step }] of cases.entries()) {
  test(`${reason}${name ? ` ${name}` : ''} is told in a sentence, and by the gate that says so`, async () => {
    clock.set(noon)
    clock.advance(place * 10_000)
    const who = await person(`p${place}`)
    const { intentId, id } = await plan(await make(who), deps)
    const told = await explain({ notificationId: id })
    if (summary instanceof RegExp) assert.match(told.summary, summary)
    else assert.equal(told.summary, summary(who))
    assert.equal(told.outcome, outcome)
    assert.deepEqual(gatesOf(told), gateOrder)
    const deciding = decidingStep(told)!
    const { versions, ...rest } = { reason, ...step }
    const { versions: toldVersions, ...others } = deciding
    assert.deepEqual({ ...others, ...rest }, others)
    if (versions) assert.deepEqual({ ...toldVersions, ...versions }, toldVersions)
    const stages = ['accept', 'match', 'enrich', 'permit', 'plan', 'settle']
    assert.deepEqual(
      [...new Set(told.steps.map(({ stage }) => stage))],
      reason === 'digest' || told.steps.some(({ gate }) => gate === 'delivery') ? stages : stages.slice(0, -1),
    )
    assert.deepEqual(JSON.stringify(told).match(/@example\.com|Hello/g), null, 'neither addresses nor content')
    const recipientId = told.steps.find(({ gate }) => gate === 'audience')?.inputs.recipient_id as string
    assert.deepEqual(await explain({ intentId, recipientId }), told)
    tried.add(reason)
  })
}

test('what the defaults of a tenant say is told as theirs', async () => {
  const who = await person('defaulted')
  await prefer(defaultsOf, { categories: { gossip: { enabled: false } } })
  const { id } = await plan(of(who, 'gossip'))
  const told = await explain({ notificationId: id })
  assert.equal(told.summary, `Not sent to ${who}: the tenant’s defaults switch category “gossip” off.`)
  assert.deepEqual(Object.keys(decidingStep(told)!.versions!), ['preference_defaults', 'settings'])
})

test('gates behind the one that stopped everything were not asked, and those before it had nothing to look at', async () => {
  const who = await person('stopped', { enabled: false })
  const { id } = await plan(to(who))
  const told = await explain({ notificationId: id })
  assert.deepEqual(
    told.steps.filter(({ stage }) => stage === 'permit').map(({ gate, verdict, reason }) => [gate, verdict, reason]),
    gateOrder.map((gate, place) => {
      if (place < 2) return [gate, 'pass', 'nothing_set']
      return place === 2 ? [gate, 'suppress', 'recipient_disabled'] : [gate, 'not_asked', null]
    }),
  )
})

test('every reason that a gate can give was tried', () => {
  const all = Object.values(gateReasons).flat()
  assert.deepEqual(
    all.filter((reason) => !tried.has(reason)),
    [],
  )
})
