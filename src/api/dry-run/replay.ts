import type { Category } from '../../domain/category.ts'
import type { GateSettings } from '../../domain/decide.ts'
import type { PastAlerts } from '../../domain/dry-run/past-alerts.ts'
import { count, countLeft, emptyTally, type Really, type Tally } from '../../domain/dry-run/tally.ts'
import { verdictOf } from '../../domain/dry-run/verdict.ts'
import { createChunkBudget } from '../../domain/expressions/chunk-budget.ts'
import type { Limit } from '../../domain/limit.ts'
import type { SaidPreferences } from '../../domain/preferences.ts'
import type { CompiledRules } from '../../domain/rule-index.ts'
import type { Wanted } from '../../domain/want.ts'
import type { Intent } from '../../pipeline/enrich/load-intents.ts'
import { createPeopleThen } from '../../pipeline/enrich/people-then.ts'
import { type Addressee, type Continuation, resolveRecipients } from '../../pipeline/enrich/resolve-recipients.ts'
import { scopeOfIntent } from '../../pipeline/match/match-events.ts'
import { matchIntents } from '../../pipeline/match/match-intents.ts'
import { limitableOf } from '../../pipeline/permit/limitable.ts'
import { type Permitted, permit } from '../../pipeline/permit/permit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Queryable } from '../../platform/db.ts'
import { pagePastIntents } from '../../store/replay.ts'
import { createTemplateCatalogue, type TemplateCatalogue } from '../../store/template-catalogue.ts'
import { createBreath } from '../breathe.ts'
import type { Draft } from './draft.ts'
import type { LimitSimulation } from './limit-simulation.ts'
import { keyOfAddressee, loadReally, reallyOf } from './really.ts'
import type { Then } from './settings-then.ts'

/** What a dry run works with, as it was loaded at its beginning. */
export interface Replay {
  tenantId: string
  draft: Draft
  /** Of the draft, and of the rule that it stands in for; absent: without a draft of a rule everything counts. */
  ruleId?: string
  /** Whether a rule stood there before, which may have notified somebody. */
  wasThere: boolean
  rules: Then<CompiledRules>
  defaults: Then<SaidPreferences | undefined>
  categories: ReadonlyMap<string, Category>
  limits: readonly Limit[]
  simulation: LimitSimulation
  /** Absent: nothing holds anything back. */
  alerts?: PastAlerts
  gates: GateSettings
  clock: Clock
  /** Called between pages of recipients; what it throws ends the run. */
  check(): void
}

export interface Progress {
  draft: Draft
  tally: Tally
  /** The last intent that was looked at. */
  after?: string
  reachedAt: Date
  isWhole: boolean
}

export interface PageSizes {
  intents: number
  /** Of one statement, or little more. */
  recipients: number
}

export const usualPages: PageSizes = { intents: 500, recipients: 1_000 }

/**
 * Decides a period again, page by page, each in a short transaction of its own, and tells after each how far it has come. `read`
 * gives a transaction that cannot write. Between two pages it may be left at any time.
 */
export async function* replay(
  on: Replay,
  read: <T>(work: (trx: Queryable) => Promise<T>) => Promise<T>,
  pages: PageSizes = usualPages,
): AsyncGenerator<Progress, void, void> {
  const { draft, tenantId } = on
  const tally = emptyTally()
  // Only limits make one notification depend on the others.
  const eventsOnly = on.ruleId !== undefined && on.limits.length === 0
  let { after } = draft
  let reachedAt = draft.since
  for (let isWhole = false; !isWhole; ) {
    const rows = await read(async (trx) => {
      const page = { ...draft, after, eventsOnly, limit: pages.intents }
      const found = await pagePastIntents(trx, tenantId, page)
      const intents = found.map((row) => intentOf(tenantId, row))
      await decidePage(intents, on, trx, tally, pages.recipients)
      return found
    })
    const last = rows.at(-1)
    after = last?.id ?? after
    isWhole = rows.length < pages.intents
    reachedAt = isWhole ? draft.until : last!.accepted_at
    yield { draft, tally, after, reachedAt, isWhole }
  }
}

type PastRow = Awaited<ReturnType<typeof pagePastIntents>>[number]

const intentOf = (tenantId: string, row: PastRow): Intent => ({
  tenantId,
  id: row.id,
  kind: row.kind,
  type: row.type,
  priority: row.priority,
  category: row.category ?? undefined,
  eventId: row.event_id ?? undefined,
  idempotencyKey: row.idempotency_key ?? undefined,
  correlationId: row.correlation_id ?? undefined,
  traceparent: row.traceparent ?? undefined,
  scheduledAt: row.scheduled_at ?? undefined,
  expiresAt: row.expires_at ?? undefined,
  acceptedAt: row.accepted_at,
  payload: row.payload,
})

/** When it was decided: a scheduled one when its time had come. */
const isLater = ({ scheduledAt, acceptedAt }: Intent) => scheduledAt !== undefined && scheduledAt > acceptedAt
const momentOf = (intent: Intent): Date => (isLater(intent) ? intent.scheduledAt! : intent.acceptedAt)
const peopleThen = createPeopleThen(momentOf)

async function decidePage(
  intents: readonly Intent[],
  on: Replay,
  trx: Queryable,
  tally: Tally,
  mostRecipients: number,
): Promise<void> {
  if (intents.length === 0) return
  const wanted = await wantsThen(intents, on, trx, tally)
  const really = await loadReally(trx, on.tenantId, intents, on.ruleId, on.wasThere)
  const templates = createTemplateCatalogue(trx, on.clock)
  await templates.load(
    on.tenantId,
    wanted.flatMap(({ template }) => template ?? []),
  )
  const named = new Set<Intent>()
  for (let work: Work[] = [{ wanted }]; work.length > 0; ) {
    on.check()
    const { wanted: wants, after } = work.shift()!
    const chunk = { tenant_id: on.tenantId, ids: [], after }
    const resolved = await resolveRecipients(trx, wants, chunk, mostRecipients, on.draft.since, peopleThen)
    for (const { intent } of resolved.addressees) named.add(intent)
    await decide(resolved.addressees, templates, really, on, trx, tally)
    work = [...goingOn(wants, resolved.continuations), ...work]
  }
  const matched = new Set(wanted.filter((want) => isCounted(want, on)).map(({ intent }) => intent))
  tally.matched += matched.size
  for (const intent of intents) {
    const left = really.get(intent.id)
    if (!left || left.total <= 0) continue
    const { id, eventId, type } = intent
    const verdict = matched.has(intent) ? 'not_addressed' : 'not_matched'
    countLeft(tally, { id, eventId, type, at: momentOf(intent), verdict }, left, on.draft.sample)
  }
}

const isCounted = ({ rule }: Pick<Wanted<Intent>, 'rule'>, { ruleId }: Replay) =>
  ruleId === undefined || rule?.id === ruleId

/** What each of them wants by the rules of its own moment, and what held it back then. */
async function wantsThen(
  intents: readonly Intent[],
  on: Replay,
  trx: Queryable,
  tally: Tally,
): Promise<Wanted<Intent>[]> {
  const wanted: Wanted<Intent>[] = []
  const breathe = createBreath()
  const budget = createChunkBudget()
  for (const intent of intents) {
    await breathe()
    const at = momentOf(intent)
    if (on.ruleId === undefined || intent.kind === 'event') tally.events++
    const rules = await on.rules(trx, at)
    const { wanted: wants, health } = await matchIntents([intent], rules, at, budget)
    for (const { ruleId, part, code } of health.faults) {
      if (on.ruleId !== undefined && ruleId !== on.ruleId) continue
      const fault = `${rules.get(ruleId)?.rule.name ?? ruleId}: ${part}: ${code}`
      tally.faults[fault] = (tally.faults[fault] ?? 0) + 1
    }
    const heldBack = on.alerts?.heldBack({ id: intent.id, scope: scopeOfIntent(intent, at) }, at)
    for (const want of wants) wanted.push(heldBack ? { ...want, heldBack } : want)
  }
  return wanted
}

interface Work {
  wanted: Wanted<Intent>[]
  after?: Continuation['after']
}

/** What a role's or group's next pages are, and the intents behind them that had no room. */
function goingOn(wants: readonly Wanted<Intent>[], continuations: readonly Continuation[]): Work[] {
  const of = (intentId: string) => wants.filter(({ intent }) => intent.id === intentId)
  const begun = continuations.filter(({ pageBegun }) => pageBegun)
  const waiting = new Set(continuations.filter(({ pageBegun }) => !pageBegun).map(({ intentId }) => intentId))
  const pages = begun.map(({ intentId, after }): Work => {
    const isLeft = ({ rule }: Wanted<Intent>) => !after.rules || after.rules.some(({ id }) => id === rule?.id)
    return { wanted: of(intentId).filter(isLeft), after }
  })
  const rest = wants.filter(({ intent }) => waiting.has(intent.id))
  return rest.length > 0 ? [...pages, { wanted: rest }] : pages
}

async function decide(
  addressees: readonly Addressee[],
  templates: TemplateCatalogue,
  really: ReadonlyMap<string, Really>,
  on: Replay,
  trx: Queryable,
  tally: Tally,
): Promise<void> {
  const counted: Permitted<Addressee>[] = []
  const breathe = createBreath()
  for (const [intent, ofIntent] of Map.groupBy(addressees, ({ intent }) => intent)) {
    await breathe()
    const at = momentOf(intent)
    const tenant = { categories: on.categories, defaults: await on.defaults(trx, at) }
    const permitted = permit(ofIntent, templates, on.gates, tenant, at)
    // Who waits comes again at a moment that is not simulated, and takes no place before.
    if (on.limits.length > 0 && !isLater(intent)) {
      on.simulation.apply(
        permitted.map((one) => limitableOf(one, on.categories)),
        at,
      )
    }
    counted.push(...permitted.filter(({ wanted }) => isCounted(wanted, on)))
  }
  const notificationOf = await reallyOf(trx, on.tenantId, counted, really)
  for (const one of counted) {
    const { intent, recipient, want, decision } = one
    const judged = {
      ...keyOfAddressee(one),
      rule: want.rule?.name,
      eventId: intent.eventId,
      type: intent.type,
      at: momentOf(intent),
      verdict: verdictOf(decision),
      channels: decision.deliveries.filter(({ state }) => state !== 'suppressed').map(({ channel }) => channel),
      recipientId: recipient.id,
    }
    count(tally, judged, really.get(intent.id), notificationOf(one), on.draft.sample)
  }
}
