import type { ServerResponse } from 'node:http'

/** On every answer. A page that needs scripts or styles says so by a policy of its own. */
const always = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/** For answers that are data: nothing in them is to be run or shown. */
export const dataPolicy = "default-src 'none'; frame-ancestors 'none'"

/** Of answers that are data, as a list of names and values. */
export const dataHeaders: readonly string[] = [...Object.entries(always).flat(), 'content-security-policy', dataPolicy]

export function setSecurityHeaders(response: ServerResponse): void {
  for (const [name, value] of Object.entries(always)) response.setHeader(name, value)
}

/** Of answers that are data. */
export function setDataHeaders(response: ServerResponse): void {
  setSecurityHeaders(response)
  response.setHeader('content-security-policy', dataPolicy)
}
