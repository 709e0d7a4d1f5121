import { z } from 'zod'

/** What a text must be, and what is said where it is not. */
interface Condition {
  holds(text: string): boolean
  message: string
}

/**
 * All that a text must be. zod tells from it what is wrong with a text; asking it whether anything is costs a tenth of
 * that, and is how almost every input is judged.
 */
export type TextRule = readonly Condition[]

/** The rule as a schema that tells everything that is wrong. */
export const told = (rule: TextRule): z.ZodString =>
  rule.reduce((schema, { holds, message }) => schema.refine(holds, message), z.string())

/** The rule as a question. */
export function keeps(rule: TextRule): (text: unknown) => boolean {
  const conditions = rule.map(({ holds }) => holds)
  return (text) => {
    if (typeof text !== 'string') return false
    for (const holds of conditions) if (!holds(text)) return false
    return true
  }
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

/** Whether Postgres can store it. */
export const storable = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')
export const notStorable = 'must not contain NUL or half a character'

/** Text that Postgres can store, of so many characters. */
export const anyText = (min: number, max: number): TextRule => [
  {
    holds: (value) => value.length >= min && (value.length <= max || charactersIn(value) <= max),
    message: min > 0 ? `must be ${min} to ${max} characters` : `must be at most ${max} characters`,
  },
  { holds: storable, message: notStorable },
]

/** Text without a line break: it ends up in a header or an envelope. */
export const aLine = (max: number): TextRule => [
  ...anyText(0, max),
  { holds: (value) => !/[\r\n]/.test(value), message: 'must be one line' },
]

/** In bytes, because addresses stand in indexes, whose entries Postgres limits. */
export const anIndexed = (maxBytes: number): TextRule => [
  ...anyText(1, maxBytes),
  { holds: (value) => Buffer.byteLength(value) <= maxBytes, message: `must be at most ${maxBytes} bytes` },
]

const emailAddress = /^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$/
const httpUrl = /^https?:\/\/[^\s]+$/

export const anEmail: TextRule = [
  ...aLine(2048),
  { holds: (value) => emailAddress.test(value), message: 'is not an e-mail address' },
]

export const aWebUrl: TextRule = [
  ...anIndexed(2_048),
  { holds: (value) => httpUrl.test(value) && URL.canParse(value), message: 'is not an http(s) URL' },
]

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

export const aTimeZone: TextRule = [...anyText(1, 100), { holds: isTimeZone, message: 'is not an IANA time zone' }]
export const aLocale: TextRule = [...anyText(1, 100), { holds: isLocale, message: 'is not a BCP 47 locale' }]

const typePattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/

export const anEventType: TextRule = [
  { holds: (value) => typePattern.test(value), message: 'must be 1 to 200 letters, digits and . _ : / -' },
]
