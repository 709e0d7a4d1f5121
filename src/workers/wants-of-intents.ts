import type pg from 'pg'
import { compileRule } from '../domain/compile-rule.ts'
import { type ChunkBudget, createChunkBudget } from '../domain/expressions/chunk-budget.ts'
import { notificationId } from '../domain/ids.ts'
import type { Wanted } from '../domain/want.ts'
import type { Intent } from '../pipeline/enrich/load-intents.ts'
import { pageMarks } from '../pipeline/enrich/resolve-recipients.ts'
import { holdBack } from '../pipeline/match/hold-back.ts'
import { type RuleHealthNotes, scopeOfIntent } from '../pipeline/match/match-events.ts'
import { type MatchedIntents, matchIntents, wantsOfRules } from '../pipeline/match/match-intents.ts'
import { plannedBefore } from '../pipeline/match/planned-before.ts'
import type { Chunk } from '../queue/queues.ts'
import { loadRuleVersions } from '../store/rules.ts'
import type { TenantSettings } from '../store/tenant-settings.ts'

export interface Wants extends Pick<MatchedIntents<Intent>, 'wanted' | 'unmatched'> {
  /** How the rules did that were asked. */
  health?: RuleHealthNotes
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
  pool: pg.Pool,
  now: Date,
): Promise<Wants> {
  // A job that comes again has made the jobs of the pages behind it once more, so those are asked of, too.
  const fresh = chunk.tries || chunk.after ? await withoutPlanned(intents, chunk, pool) : intents
  const budget = createChunkBudget()
  const { wanted, ...rest } = chunk.after?.rules
    ? { wanted: await continued(fresh, chunk.after.rules, chunk.tenant_id, pool, budget, now), unmatched: [] }
    : await matchIntents(fresh, settings.rules, now, budget)
  return { ...rest, asked: fresh, wanted: await held(wanted, fresh, chunk.tenant_id, settings, pool, now), budget }
}

/** The rules of a page that is not the first: as they were, whatever they say by now. */
async function continued(
  intents: readonly Intent[],
  versions: readonly { id: string; version: number }[],
  tenantId: string,
  pool: pg.Pool,
  budget: ChunkBudget,
  now: Date,
): Promise<Wanted<Intent>[]> {
  const rules = await loadRuleVersions(pool, tenantId, versions)
  const compiled = versions.flatMap(({ id, version }) => {
    const rule = rules.find((each) => each.id === id && each.version === version)
    return rule ? [{ ...compileRule(rule), condition: undefined }] : []
  })
  return intents.flatMap((intent) => wantsOfRules(intent, compiled, now, budget))
}

/**
 * Without the intents whose page was planned before: rules may have changed since, and who has a role, so that the same places
 * would be other people's.
 */
async function withoutPlanned(
  intents: readonly Intent[],
  { tenant_id, after }: Chunk,
  pool: pg.Pool,
): Promise<readonly Intent[]> {
  const marks = new Map(
    intents.map((intent) => [intent, pageMarks(intent, after).map((ordinal) => notificationId(intent.id, ordinal))]),
  )
  const planned = await plannedBefore(pool, tenant_id, [...marks.values()].flat())
  return intents.filter((intent) => !marks.get(intent)!.some((id) => planned.has(id)))
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
  const events = intents.map((intent) => {
    return { id: intent.id, eventId: intent.eventId, scope: scopeOfIntent(intent, now) }
  })
  const byIntent = await holdBack(pool, tenantId, events, alerts, now)
  if (byIntent.size === 0) return wanted
  return wanted.map((want) => {
    const heldBack = byIntent.get(want.intent.id)
    return heldBack ? { ...want, heldBack } : want
  })
}
