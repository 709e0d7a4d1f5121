import type { AttemptOutcome } from './outcome.ts'

/** When a channel tries again: the wait before the second attempt, the third …, and how far each may be off. */
export interface RetryPolicy {
  delaysMs: readonly number[]
  /** 0 to 1: the share of a wait by which it may be shorter or longer. */
  jitter: number
}

const longestAskedMs = 3_600_000

/**
 * The wait before the next attempt, or undefined where there is none left. A Retry-After is honoured in full, up to an hour
 * or twice our own wait, whichever is longer: nobody can put a delivery off for ever. `random` is 0 ≤ r < 1.
 */
export function nextWaitMs(
  policy: RetryPolicy,
  attempt: number,
  outcome: AttemptOutcome,
  random: number,
): number | undefined {
  if (outcome.kind === 'accepted' || (outcome.kind === 'rejected' && !outcome.retryable)) return undefined
  const delay = policy.delaysMs[attempt - 1]
  if (delay === undefined) return undefined
  const own = Math.round(delay * (1 + policy.jitter * (2 * random - 1)))
  const asked = outcome.kind === 'rejected' ? (outcome.retryAfterMs ?? 0) : 0
  return Math.max(own, Math.min(asked, Math.max(longestAskedMs, 2 * own)))
}
