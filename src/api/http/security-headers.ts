import type { ServerResponse } from 'node:http'

/** On every answer. A page that needs scripts or styles says so by a policy of its own. */
export function setSecurityHeaders(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cache-control', 'no-store')
}

/** For answers that are data: nothing in them is to be run or shown. */
export const dataPolicy = "default-src 'none'; frame-ancestors 'none'"
