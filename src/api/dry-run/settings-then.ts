import type { SaidPreferences } from '../../domain/preferences.ts'
import type { Rule } from '../../domain/rule.ts'
import { type CompiledRules, compileRules, noRules } from '../../domain/rule-index.ts'
import type { Queryable } from '../../platform/db.ts'
import type { PreferenceDocument } from '../../store/preferences.ts'
import { defaultsAt, rulesHeldUntil } from '../../store/replay.ts'
import { rulesAt } from '../../store/rules.ts'

/** What stood at a moment; loaded again only where it had changed by then. */
export type Then<T> = (on: Queryable, at: Date) => Promise<T>

function remembering<T>(
  load: (on: Queryable, at: Date, before: T | undefined) => Promise<{ value: T; until: Date | undefined }>,
): Then<T> {
  let known: { value: T; from: Date; until: Date | undefined } | undefined
  return async (on, at) => {
    if (!known || at < known.from || (known.until && at >= known.until)) {
      known = { ...(await load(on, at, known?.value)), from: at }
    }
    return known.value
  }
}

/** The rules of a tenant by time, with a draft in the place of one of them, or as one more. */
export function rulesThen(tenantId: string, draft: Rule | undefined): Then<CompiledRules> {
  return remembering(async (on, at, before = noRules) => {
    const until = await rulesHeldUntil(on, tenantId, at)
    const rules = await rulesAt(on, tenantId, at)
    const others = draft ? rules.filter(({ id }) => id !== draft.id) : rules
    return { value: compileRules(draft ? [...others, draft] : others, before), until }
  })
}

/** The draft alone: what the other rules want is of no account. */
export function draftAlone(draft: Rule): Then<CompiledRules> {
  const rules = compileRules([draft])
  return async () => rules
}

/** A tenant's defaults by time, with a draft merged into them. */
export function defaultsThen(
  tenantId: string,
  draft: PreferenceDocument | undefined,
): Then<SaidPreferences | undefined> {
  return remembering<SaidPreferences | undefined>(async (on, at) => {
    const { defaults, until } = await defaultsAt(on, tenantId, at, draft)
    return { value: defaults, until }
  })
}
