import { z } from 'zod'
import type { InputFault } from './input-fault.ts'
import {
  aLine,
  aLocale,
  anEmail,
  anEventType,
  anIndexed,
  anyText,
  aTimeZone,
  aWebUrl,
  notStorable,
  storable,
  told,
} from './text-rules.ts'

/*
 * Rules that several inputs share. They mirror sql/api/30_notify.sql, which speaks for the callers that have SQL only.
 * Absent and null are the same: the field is not given.
 */

export const channelsLimit = 12
export const maxContentBytes = 1_048_576
export const maxScheduledMs = 366 * 86_400_000
const maxJsonDepth = 64
export const tooDeep = `must not be nested deeper than ${maxJsonDepth}`

const moment = z.iso.datetime({ offset: true })

/** A moment in ISO 8601 with an offset; undefined where the text is none. */
export function parseMoment(text: string): Date | undefined {
  if (!moment.safeParse(text).success) return undefined
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** null becomes absent: nothing that is stored holds a null. */
export const orAbsent = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined)

/** The same, where an empty text is as good as none. */
export const orEmpty = <Schema extends z.ZodType<string>>(schema: Schema) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional())

export const text = (min: number, max: number) => told(anyText(min, max))
export const optionalText = (min: number, max: number) => orAbsent(text(min, max))
export const oneLine = (max: number) => told(aLine(max))
export const indexed = (maxBytes: number) => told(anIndexed(maxBytes))
export const email = told(anEmail)
export const webUrl = told(aWebUrl)
export const timezone = told(aTimeZone)
export const locale = told(aLocale)
export const eventType = told(anEventType)

export const dateTime = z
  .string()
  .refine((value) => parseMoment(value) !== undefined, 'is not a moment in ISO 8601 with an offset')
  .transform((value) => new Date(value))

/** Why a JSON value cannot be stored; undefined: it can. It looks no deeper than is allowed. */
function findJsonFault(value: unknown, depth = 1): string | undefined {
  if (typeof value === 'string') return storable(value) ? undefined : notStorable
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > maxJsonDepth) return tooDeep
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = findJsonFault(item, depth + 1)
      if (found) return found
    }
    return undefined
  }
  const members = value as Record<string, unknown>
  for (const key in members) {
    const found = storable(key) ? findJsonFault(members[key], depth + 1) : notStorable
    if (found) return found
  }
  return undefined
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether it is a JSON object that Postgres can store. */
export const isStorableObject = (value: unknown): boolean => isObject(value) && findJsonFault(value) === undefined

/** The same, as a schema that tells what is wrong. */
export const jsonObject = z.custom<Record<string, unknown>>().superRefine((value, check) => {
  const found = isObject(value) ? findJsonFault(value) : 'must be a JSON object'
  if (found) check.addIssue({ code: 'custom', message: found })
})

const traceContext = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The first of these that is well formed: a malformed trace is ignored. */
export function traceparentOf(...candidates: (string | null | undefined)[]): string | undefined {
  return candidates.find((candidate) => candidate != null && traceContext.test(candidate)) ?? undefined
}

/** What zod found, as the faults that callers read. */
export function faultsOf(error: z.ZodError, path: readonly string[]): InputFault[] {
  return error.issues.map((issue) => ({ path: [...path, ...issue.path.map(String)], message: issue.message }))
}
