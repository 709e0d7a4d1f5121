/** A world with the API in front of it, in which a test makes somebody get nothing, and asks why. */
import assert from 'node:assert/strict'
import type { Channel } from '../../src/domain/channel.ts'
import { notificationId } from '../../src/domain/ids.ts'
import type { IntentPayload, NewIntent } from '../../src/domain/intent.ts'
import type { AttemptOutcome } from '../../src/domain/outcome.ts'
import type { Rule } from '../../src/domain/rule.ts'
import { createSlots } from '../../src/pipeline/send/slots.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { asTenants, type Queryable } from '../../src/platform/db.ts'
import { changePreferences } from '../../src/store/preferences.ts'
import { type RecipientProfile, upsertRecipients } from '../../src/store/recipients.ts'
import { definitionOf, saveRules } from '../../src/store/rules.ts'
import { type CloseDigestsDeps, closeDueDigests } from '../../src/workers/close-digests.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { createSettling, deliver } from '../../src/workers/deliver.ts'
import { type ProcessIntentsDeps, processIntents } from '../../src/workers/process-intents.ts'
import { createRecheck } from '../../src/workers/recheck-members.ts'
import { createApiWorld } from './api-world.ts'

export interface ToldStep {
  stage: string
  gate: string
  channel: string | null
  verdict: string
  reason: string | null
  until: string | null
  inputs: Record<string, unknown>
  versions: Record<string, unknown> | null
  at: string
}

export interface ToldExplanation {
  summary: string
  outcome: string
  steps: ToldStep[]
}

export const explainQuery = `query ($notificationId: ID, $intentId: ID, $recipientId: String) {
  explain(notificationId: $notificationId, intentId: $intentId, recipientId: $recipientId) {
    summary outcome steps { stage gate channel verdict reason until inputs versions at }
  }
}`

/** Days for which there are partitions, and that the clock of the machine has not reached. Lagos has no summer time. */
const dayAt = (place: number) => new Date(systemClock.now().getTime() + place * 86_400_000).toISOString().slice(0, 10)
export const today = dayAt(1)
export const tomorrow = dayAt(2)
export const dayAfter = dayAt(3)
export const noon = `${today}T12:00:00.000Z`

export async function createExplaining() {
  const world = await createApiWorld()
  const { clock, tenant, ids } = world
  clock.set(noon)

  /** What people and applications say comes in by the API's role. */
  const asApi = <T>(work: (trx: Queryable) => Promise<T>) => asTenants(world.api, [tenant], work)
  /** Settings are half a second old at most. */
  const passed = () => clock.advance(1_000)
  const rule = (over: Partial<Rule> & { name: string }): Rule => ({
    id: ids.id(),
    version: 1,
    eventPattern: '',
    priority: 1,
    channels: ['email'],
    selector: {},
    enabled: true,
    templateVars: { subject: 'An order', body: 'done' },
    ...over,
  })
  async function saveRule(over: Partial<Rule> & { name: string }) {
    const made = rule(over)
    const row = { id: made.id, name: made.name, enabled: made.enabled, definition: definitionOf(made) }
    await saveRules(world.worker, tenant, [row], 'test', clock.now())
    passed()
    return made
  }
  async function person(id: string, over: Partial<RecipientProfile> = {}) {
    const contactPoints = [{ channel: 'email' as const, address: `${id}@example.com` }]
    const profile = { externalId: id, timezone: 'Africa/Lagos', contactPoints, ...over }
    await asApi((trx) => upsertRecipients(trx, tenant, [profile], clock.now()))
    return id
  }
  async function prefer(recipientId: string, patch: Record<string, unknown>) {
    await asApi((trx) => changePreferences(trx, tenant, { recipientId, patch, by: 'test' }, clock.now()))
    passed()
  }
  const to = (id: string, payload: Partial<IntentPayload> = {}, fields: Partial<NewIntent> = {}) =>
    world.intent({ recipients: [{ type: 'user', id }], ...payload }, fields)
  const event = (type: string, data: Record<string, unknown> = {}, fields: Partial<NewIntent> = {}) =>
    world.intent(
      {
        recipients: undefined,
        channels: undefined,
        subject: undefined,
        body: undefined,
        data,
        event: { domain: 'shop' },
      },
      { kind: 'event', type, eventId: ids.id(), ...fields },
    )
  async function accept(intent: NewIntent) {
    const [answer] = await world.accept([intent])
    return answer!.intentId
  }
  async function plan(intent: NewIntent, deps: Partial<ProcessIntentsDeps> = {}) {
    const intentId = await accept(intent)
    await processIntents({ tenant_id: tenant, ids: [intentId] }, { ...world.planning, ...deps })
    return { intentId, id: notificationId(intentId, 1) }
  }
  async function explain(asked: { notificationId?: string; intentId?: string; recipientId?: string }, key?: string) {
    return (await world.data(explainQuery, asked, key ? { key } : undefined)).explain as ToldExplanation
  }
  /** Sends what waits of a notification, with a provider that answers so. */
  async function send(id: string, channel: Channel, outcome?: AttemptOutcome, delaysMs: number[] = []) {
    const slots = createSlots(10)
    const signal = new AbortController().signal
    const providers = new Map(outcome ? [[channel, { name: 'scripted', send: async () => outcome }]] : [])
    const settling = createSettling({
      pool: world.worker,
      clock,
      ids,
      settle: { policyOf: () => ({ delaysMs, jitter: 0 }), random: () => 0.5 },
      flush: { rows: 10, ms: 1, maxInFlight: 2, worthOwn: 1 },
      onSettled: () => {},
    })
    const { rows } = await world.admin.query(
      'select id from carillon.deliveries where tenant_id = $1 and channel = $2 and id > $3 and id <= carillon.last_id_of($3)',
      [tenant, channel, id],
    )
    const chunk = { tenant_id: tenant, ids: rows.map((row) => row.id as string), tries: 0 }
    const sending = { providers, slots: () => slots, now: clock.now, stopping: signal, cutOff: signal }
    const { catalogue } = world.planning
    await deliver(chunk, { pool: world.worker, clock, catalogue, send: sending, settling })
  }
  const again = () => decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })
  const closeDigests = () => {
    const { catalogue, settings, gates } = world.planning
    const logger = {
      error: (about: object) => assert.fail(JSON.stringify(about)),
    } as unknown as CloseDigestsDeps['logger']
    const recheck = createRecheck({ catalogue, settings, gates })
    const deps = { pool: world.worker, ids, keyTtlMs: 86_400_000, recheck, wake: () => {}, logger }
    return closeDueDigests(deps, clock.now())
  }
  return {
    world,
    clock,
    asApi,
    passed,
    saveRule,
    person,
    prefer,
    to,
    event,
    accept,
    plan,
    explain,
    send,
    again,
    closeDigests,
  }
}

export const gateOrder = [
  ...['silence', 'validity', 'recipient', 'suppression', 'consent', 'preference', 'digest', 'schedule', 'quiet_hours'],
  ...['send_window', 'rate_limit'],
]

/** The gates of the first decision, in the order in which they are told, each once. */
export const gatesOf = ({ steps }: ToldExplanation) => [
  ...new Set(steps.filter(({ stage }) => stage === 'permit').map(({ gate }) => gate)),
]

/** The step that decided: the first that did not let everything pass. */
export const decidingStep = ({ steps }: ToldExplanation) =>
  steps.find(({ stage, verdict }) => stage === 'permit' && !['pass', 'not_asked'].includes(verdict))
