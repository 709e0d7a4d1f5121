import type pg from 'pg'
import { compileRule } from '../domain/compile-rule.ts'
import { type ChunkBudget, createChunkBudget } from '../domain/expressions/chunk-budget.ts'
import { notificationId } from '../domain/ids.ts'
import type { Wanted } from '../domain/want.ts'
import type { Intent } from '../pipeline/enrich/load-intents.ts'
import { holdBack } from '../pipeline/match/hold-back.ts'
import { scopeOfIntent } from '../pipeline/match/match-events.ts'
import {
  type MatchedIntents,
  matchIntents,
  type OnRecipientFault,
  wantsOfRules,
} from '../pipeline/match/match-intents.ts'
import { plannedBefore } from '../pipeline/match/planned-before.ts'
import type { RuleHealth } from '../pipeline/match/rule-health.ts'
import type { Chunk } from '../queue/queues.ts'
import { loadRuleVersions } from '../store/rules.ts'
import type { TenantSettings } from '../store/tenant-settings.ts'

export interface WantsDeps {
  pool: pg.Pool
  ruleHealth: Pick<RuleHealth, 'observe' | 'observeRecipients'>
}

export interface Wants extends Pick<MatchedIntents<Intent>, 'wanted' | 'unmatched'> {
  /** The intents that were asked; not those whose page was planned before. */
  asked: readonly Intent[]
  /** What the expressions of this chunk may still cost: those of its recipients draw on it too. */
  budget: ChunkBudget
}

/** What the intents of a chunk want, and which of them nobody: matching, and what a silence or an open alert holds back. */
export async function wantsOf(
  intents: readonly Intent[],
  chunk: Chunk & { tries?: number },
  settings: TenantSettings,
  on: WantsDeps,
  now: Date,
): Promise<Wants> {
  const fresh = chunk.tries ? await withoutPlanned(intents, chunk, on.pool) : intents
  const budget = createChunkBudget()
  const { wanted, unmatched } = chunk.after?.rules
    ? { wanted: await continued(fresh, chunk.after.rules, chunk.tenant_id, on, budget, now), unmatched: [] }
    : await match(fresh, chunk.tenant_id, settings, on.ruleHealth, budget, now)
  return { asked: fresh, wanted: await held(wanted, fresh, chunk.tenant_id, settings, on.pool, now), unmatched, budget }
}

async function match(
  intents: readonly Intent[],
  tenantId: string,
  settings: TenantSettings,
  health: WantsDeps['ruleHealth'],
  budget: ChunkBudget,
  now: Date,
): Promise<MatchedIntents<Intent>> {
  const matched = await matchIntents(intents, settings.rules, now, onFaultOf(tenantId, health), budget)
  health.observe(tenantId, matched.health, settings.rules)
  return matched
}

const onFaultOf =
  (tenantId: string, health: WantsDeps['ruleHealth']): OnRecipientFault =>
  (fault) =>
    health.observeRecipients(tenantId, [fault])

/** The rules of a page that is not the first: as they were, whatever they say by now. */
async function continued(
  intents: readonly Intent[],
  versions: readonly { id: string; version: number }[],
  tenantId: string,
  { pool, ruleHealth }: WantsDeps,
  budget: ChunkBudget,
  now: Date,
): Promise<Wanted<Intent>[]> {
  const rules = await loadRuleVersions(pool, tenantId, versions)
  const compiled = versions.flatMap(({ id, version }) => {
    const rule = rules.find((each) => each.id === id && each.version === version)
    return rule ? [{ ...compileRule(rule), condition: undefined }] : []
  })
  return intents.flatMap((intent) => wantsOfRules(intent, compiled, now, onFaultOf(tenantId, ruleHealth), budget))
}

/** Without the events whose page was planned before: rules may have changed since, so they are not matched anew. */
async function withoutPlanned(
  intents: readonly Intent[],
  { tenant_id, after }: Chunk,
  pool: pg.Pool,
): Promise<readonly Intent[]> {
  const next = (after?.ordinal ?? 0) + 1
  const firstOf = ({ id, kind }: Intent) => (kind === 'event' ? [notificationId(id, next)] : [])
  const planned = await plannedBefore(pool, tenant_id, intents.flatMap(firstOf))
  return intents.filter((intent) => !firstOf(intent).some((id) => planned.has(id)))
}

async function held(
  wanted: Wanted<Intent>[],
  intents: readonly Intent[],
  tenantId: string,
  { alerts }: TenantSettings,
  pool: pg.Pool,
  now: Date,
): Promise<Wanted<Intent>[]> {
  if (alerts.silences.length === 0 && alerts.inhibitions.length === 0) return wanted
  // What tells of other notifications is ours, and no alert.
  const events = intents
    .filter(({ payload }) => payload.statusEvent === undefined)
    .map((intent) => ({ id: intent.id, eventId: intent.eventId, scope: scopeOfIntent(intent, now) }))
  const byIntent = await holdBack(pool, tenantId, events, alerts, now)
  if (byIntent.size === 0) return wanted
  return wanted.map((want) => {
    const heldBack = byIntent.get(want.intent.id)
    return heldBack ? { ...want, heldBack } : want
  })
}
