import { z } from 'zod'
import type { InputFault } from './errors.ts'

/*
 * Rules that several inputs share. They mirror sql/api/30_notify.sql, which speaks for the callers that have SQL only.
 * Absent and null are the same: the field is not given.
 */

export const channelsLimit = 12
export const maxContentBytes = 1_048_576
export const maxScheduledMs = 366 * 86_400_000
const maxJsonDepth = 64

const moment = z.iso.datetime({ offset: true })

/** A moment in ISO 8601 with an offset; undefined where the text is none. */
export function parseMoment(text: string): Date | undefined {
  if (!moment.safeParse(text).success) return undefined
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** Postgres counts characters where JavaScript counts halves of some. */
function charactersIn(text: string): number {
  let count = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0xd800 && unit <= 0xdbff) {
      count--
      index++
    }
  }
  return count
}

const storable = (text: string) => text.isWellFormed() && !text.includes('\u0000')

/** Text that Postgres can store, of so many characters. */
export const text = (min: number, max: number) =>
  z
    .string()
    .refine((value) => value.length >= min && (value.length <= max || charactersIn(value) <= max), {
      error: min > 0 ? `must be ${min} to ${max} characters` : `must be at most ${max} characters`,
    })
    .refine(storable, 'must not contain NUL or half a character')

export const optionalText = (min: number, max: number) => orAbsent(text(min, max))

/** Text without a line break: it ends up in a header or an envelope. */
export const oneLine = (max: number) => text(0, max).refine((value) => !/[\r\n]/.test(value), 'must be one line')

/** null becomes absent: nothing that is stored holds a null. */
export const orAbsent = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined)

/** The same, where an empty text is as good as none. */
export const orEmpty = <Schema extends z.ZodType<string>>(schema: Schema) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional())

const emailAddress = /^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$/
const httpUrl = /^https?:\/\/[^\s]+$/

export const email = oneLine(2048).refine((value) => emailAddress.test(value), 'is not an e-mail address')
/** In bytes, because addresses stand in indexes, whose entries Postgres limits. */
export const indexed = (maxBytes: number) =>
  text(1, maxBytes).refine((value) => Buffer.byteLength(value) <= maxBytes, `must be at most ${maxBytes} bytes`)
export const webUrl = indexed(2_048).refine(
  (value) => httpUrl.test(value) && URL.canParse(value),
  'is not an http(s) URL',
)

/** What Intl says of a name, kept: its answers are slow to come. */
function remembered(judge: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    const answer = judge(name)
    if (known.size >= 2_000) known.clear() // callers choose the names
    known.set(name, answer)
    return answer
  }
}

const isTimeZone = remembered((name) => {
  if (!/^[A-Za-z]/.test(name)) return false // offsets are no zones
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
})

const isLocale = remembered((name) => {
  try {
    return Intl.getCanonicalLocales(name).length === 1
  } catch {
    return false
  }
})

export const timezone = text(1, 100).refine(isTimeZone, 'is not an IANA time zone')
export const locale = text(1, 100).refine(isLocale, 'is not a BCP 47 locale')

export const dateTime = z
  .string()
  .refine((value) => parseMoment(value) !== undefined, 'is not a moment in ISO 8601 with an offset')
  .transform((value) => new Date(value))

/** Why a JSON value cannot be stored; undefined: it can. Not recursive: callers choose the depth. */
function findJsonFault(root: unknown): string | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }]
  for (let entry = open.pop(); entry; entry = open.pop()) {
    const { value, depth } = entry
    if (typeof value === 'string' && !storable(value)) return 'must not contain NUL or half a character'
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxJsonDepth) return `must not be nested deeper than ${maxJsonDepth}`
    if (Array.isArray(value)) {
      for (const item of value) open.push({ value: item, depth: depth + 1 })
      continue
    }
    for (const [key, item] of Object.entries(value)) {
      if (!storable(key)) return 'must not contain NUL or half a character'
      open.push({ value: item, depth: depth + 1 })
    }
  }
  return undefined
}

/** A JSON object that Postgres can store. */
export const jsonObject = z.custom<Record<string, unknown>>().superRefine((value, check) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    check.addIssue({ code: 'custom', message: 'must be a JSON object' })
    return
  }
  const found = findJsonFault(value)
  if (found) check.addIssue({ code: 'custom', message: found })
})

const traceContext = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The first of these that is well formed: a malformed trace is ignored. */
export function traceparentOf(...candidates: (string | null | undefined)[]): string | undefined {
  return candidates.find((candidate) => candidate != null && traceContext.test(candidate)) ?? undefined
}

export const eventType = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/, 'must be 1 to 200 letters, digits and . _ : / -')

/** What zod found, as the faults that callers read. */
export function faultsOf(error: z.ZodError, path: readonly string[]): InputFault[] {
  return error.issues.map((issue) => ({ path: [...path, ...issue.path.map(String)], message: issue.message }))
}
