/**
 * Reads a Retry-After header, seconds or an HTTP date, as milliseconds from `now`; undefined when it says neither.
 * How far it may lengthen a wait is the retry policy's business.
 */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  // Date.parse also takes bare numbers and ISO dates, which RFC 9110 does not.
  if (!/^[A-Z][a-z]{2}/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime())
}
