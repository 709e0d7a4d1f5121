/** Why an attempt failed: a closed set, and the metric label. */
export const failureReasons = [
  'transient', // a fault that passes: connection refused, 5xx, greylisting
  'throttled', // the provider asks for patience
  'invalid_recipient', // the address is wrong or gone
  'content_refused', // the provider refuses this message
  'misconfigured', // our set-up is wrong: credentials, missing provider, refused address
  'permanent', // the provider refuses for good, for another reason
  'render_failed', // the template could not be rendered
  'endpoint_disabled', // the webhook endpoint answered 410 or is switched off
  'timeout', // no answer in time; with `unknown`, it may have been accepted
] as const

export type FailureReason = (typeof failureReasons)[number]

/**
 * What one attempt told us. Providers return this; they throw only for bugs. `detail` is short and scrubbed: no
 * address, no content, no secret.
 */
export type AttemptOutcome =
  | { kind: 'accepted'; providerMessageId?: string; detail?: string }
  | { kind: 'rejected'; reason: FailureReason; retryable: boolean; retryAfterMs?: number; detail: string }
  | { kind: 'unknown'; reason: 'timeout' | 'transient'; detail: string }
