import type { GateSettings } from '../../domain/decide.ts'
import { createPastAlerts } from '../../domain/dry-run/past-alerts.ts'
import { compileInhibitions } from '../../domain/inhibitions.ts'
import { compileSilences } from '../../domain/silences.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Queryable } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { loadCategories } from '../../store/categories.ts'
import { loadInhibitions } from '../../store/inhibitions.ts'
import { listLimits } from '../../store/limits.ts'
import { findRuleIdSince, judgePreferences } from '../../store/replay.ts'
import { silencesBetween } from '../../store/silences.ts'
import { refusalOfPreferences } from '../graphql/preference-rules.ts'
import type { Draft } from './draft.ts'
import { createLimitSimulation, limitsOf } from './limit-simulation.ts'
import type { Replay } from './replay.ts'
import { defaultsThen, draftAlone, rulesThen } from './settings-then.ts'

export interface PrepareDeps {
  gates: GateSettings
  clock: Clock
  ids: IdSource
  check(): void
}

/** Loads what a dry run needs from its beginning to its end. A draft of preferences that is none throws a fault. */
export async function prepareReplay(
  trx: Queryable,
  tenantId: string,
  draft: Draft,
  { gates, clock, ids, check }: PrepareDeps,
): Promise<Replay> {
  const { since, until } = draft
  const limits = limitsOf(await listLimits(trx, tenantId), draft.limits)
  const silences = compileSilences(await silencesBetween(trx, tenantId, since, until))
  const inhibitions = compileInhibitions(await loadInhibitions(trx, tenantId))
  const replaced =
    draft.replaces === undefined ? undefined : await findRuleIdSince(trx, tenantId, draft.replaces, since)
  const rule = draft.rule && { ...draft.rule, id: replaced ?? ids.id(), version: 0 }
  return {
    tenantId,
    draft,
    ruleId: rule?.id,
    wasThere: replaced !== undefined,
    rules: rule && limits.length === 0 ? draftAlone(rule) : rulesThen(tenantId, rule),
    defaults: defaultsThen(tenantId, await judgedDefaults(trx, draft)),
    categories: await loadCategories(trx, tenantId),
    limits,
    simulation: createLimitSimulation(limits),
    alerts: silences.length + inhibitions.length > 0 ? createPastAlerts(silences, inhibitions) : undefined,
    gates,
    clock,
    check,
  }
}

async function judgedDefaults(trx: Queryable, { preferenceDefaults }: Draft) {
  if (preferenceDefaults === undefined) return undefined
  return judgePreferences(trx, preferenceDefaults).catch((error: unknown) => {
    throw refusalOfPreferences(error, ['input', 'preferenceDefaults']) ?? error
  })
}
