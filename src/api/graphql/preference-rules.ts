import type { GraphQLError } from 'graphql'
import { z } from 'zod'
import { faultsOf, locale, oneLine, text, timezone } from '../../pipeline/accept/validate-fields.ts'
import type { PreferenceDocument } from '../../store/preferences.ts'
import { validationFault } from './errors.ts'

/** Postgres judges preferences for all ways in; zones and locales are judged here too, by those who will work with them. */
const zones = z.object({
  timezone: timezone.nullish(),
  locale: locale.nullish(),
  quietHours: z.object({ timezone: timezone.nullish() }).nullish(),
})

export function judgeZones(input: z.input<typeof zones>): void {
  const judged = zones.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['input']))
}

const userIdRule = oneLine(255).refine((id) => id !== '', 'must not be empty')

/** The id of a recipient, as it may stand in an argument. */
export function requireUserId(id: string, path: readonly string[] = ['userId']): string {
  const judged = userIdRule.safeParse(id)
  if (!judged.success) throw validationFault(faultsOf(judged.error, path))
  return judged.data
}

/** Who changed something, where a caller says so. */
export function judgeChangedBy(changedBy: string | null | undefined): string | undefined {
  if (changedBy == null) return undefined
  const judged = text(1, 200).safeParse(changedBy)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['changedBy']))
  return judged.data
}

/** An input as a merge patch: what is left out is not in it. */
export function patchOf(input: object): PreferenceDocument {
  return JSON.parse(JSON.stringify(input)) as PreferenceDocument
}

/** What Postgres says of preferences it refuses, as a fault that names the place; undefined for any other error. */
export function refusalOfPreferences(error: unknown, path: readonly string[] = ['input']): GraphQLError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, column, detail } = error as Error & { code?: string; column?: string; detail?: string }
  if (code !== '22023' || column === undefined || detail === undefined) return undefined
  const place = JSON.parse(detail) as string[]
  return validationFault([{ path: [...path, ...place], message: error.message.slice(column.length + 1) }])
}
