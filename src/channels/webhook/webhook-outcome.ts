import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome, FailureReason } from '../../domain/outcome.ts'
import type { Exchange } from '../http-exchange.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { scrub } from '../scrub.ts'

type Verdict = { reason: FailureReason; retryable: boolean }

/** First match wins; whatever is not 2xx is in here. */
const verdicts: [matches: (status: number) => boolean, Verdict][] = [
  [(status) => status === 410, { reason: 'endpoint_disabled', retryable: false }],
  [(status) => status === 413, { reason: 'content_refused', retryable: false }],
  // A receiver answers so when it could not verify us, most often in the middle of rotating its secret or its gateway's
  // credentials. Standard Webhooks asks for retries on all but 410, and here they heal.
  [(status) => status === 401 || status === 403, { reason: 'misconfigured', retryable: true }],
  [(status) => status === 408 || status === 425 || status === 429, { reason: 'transient', retryable: true }],
  [(status) => status >= 500, { reason: 'transient', retryable: true }],
  // Other 4xx, and 3xx: a redirect is never followed, the endpoint has to be corrected.
  [() => true, { reason: 'permanent', retryable: false }],
]

/** What one exchange with an endpoint means for the attempt; `now` is what an HTTP date in Retry-After is counted from. */
export function webhookOutcome(result: Exchange, message: Message, now: Date): AttemptOutcome {
  if (result.kind === 'failed') return failureOutcome(result)
  const { status, headers, body } = result
  if (status >= 200 && status < 300) return { kind: 'accepted', detail: `HTTP ${status}` }

  const said = scrub(body.toString('utf8'), message)
  const detail = `HTTP ${status}${said === '' ? '' : `: ${said}`}`.slice(0, 200)
  if (status === 429 || status === 503) {
    const header = headers['retry-after']
    const retryAfterMs = parseRetryAfter(Array.isArray(header) ? header[0] : header, now)
    if (retryAfterMs !== undefined) {
      return { kind: 'rejected', reason: 'throttled', retryable: true, retryAfterMs, detail }
    }
  }
  const [, verdict] = verdicts.find(([matches]) => matches(status))!
  return { kind: 'rejected', ...verdict, detail }
}

function failureOutcome({ sent, fault, code }: Extract<Exchange, { kind: 'failed' }>): AttemptOutcome {
  if (fault === 'address_refused') {
    return { kind: 'rejected', reason: 'misconfigured', retryable: false, detail: 'the address is not public' }
  }
  if (sent) {
    return fault === 'timeout'
      ? { kind: 'unknown', reason: 'timeout', detail: 'sent, and no answer in time' }
      : { kind: 'unknown', reason: 'transient', detail: `sent, and the answer was lost (${code})` }
  }
  return { kind: 'rejected', reason: 'transient', retryable: true, detail: `not sent (${code})` }
}
