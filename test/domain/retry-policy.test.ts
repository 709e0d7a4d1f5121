import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttemptOutcome } from '../../src/domain/outcome.ts'
import { nextWaitMs } from '../../src/domain/retry-policy.ts'

const policy = { delaysMs: [60_000, 300_000], jitter: 0.2 }
const transient: AttemptOutcome = { kind: 'rejected', reason: 'transient', retryable: true, detail: '' }
const permanent: AttemptOutcome = { kind: 'rejected', reason: 'permanent', retryable: false, detail: '' }
const unknown: AttemptOutcome = { kind: 'unknown', reason: 'timeout', detail: '' }
const throttled = (retryAfterMs: number): AttemptOutcome => ({ ...transient, reason: 'throttled', retryAfterMs })

const cases: [string, number, AttemptOutcome, number, number | undefined][] = [
  ['the first failure waits the first delay', 1, transient, 0.5, 60_000],
  ['the second failure waits the second delay', 2, transient, 0.5, 300_000],
  ['after the last delay there is no further attempt', 3, transient, 0.5, undefined],
  ['jitter shortens by its share at most', 1, transient, 0, 48_000],
  ['jitter lengthens by its share at most', 1, transient, 0.999999999, 72_000],
  ['a permanent refusal is not tried again', 1, permanent, 0.5, undefined],
  ['success is not tried again', 1, { kind: 'accepted' }, 0.5, undefined],
  ['an unknown outcome is tried again', 1, unknown, 0.5, 60_000],
  ['a Retry-After may lengthen our wait', 1, throttled(90_000), 0.5, 90_000],
  ['a Retry-After is honoured in full, jitter or not', 1, throttled(3_500_000), 0, 3_500_000],
  ['a Retry-After of more than an hour is cut to one', 1, throttled(86_400_000), 0.5, 3_600_000],
  ['a Retry-After may double a wait that is longer than that', 2, { ...throttled(1e9) }, 0.5, 3_600_000],
  ['a Retry-After never shortens our wait', 1, throttled(1_000), 0.5, 60_000],
]
for (const [name, attempt, outcome, random, expected] of cases) {
  test(name, () => assert.equal(nextWaitMs(policy, attempt, outcome, random), expected))
}
