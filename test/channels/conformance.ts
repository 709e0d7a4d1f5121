import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Provider } from '../../src/channels/port.ts'
import type { Message } from '../../src/domain/message.ts'
import { type AttemptOutcome, failureReasons } from '../../src/domain/outcome.ts'
import { privateWords } from './support/test-message.ts'

/** A provider and the misbehaving vendor it talks to. */
export interface Stage extends AsyncDisposable {
  provider: Provider
  message: Message
  /** Comes when the vendor falls silent: what was to be sent by then has been sent. */
  silence: Promise<void>
}

export interface ConformanceCase {
  /** Ends the sentence "a provider meets …". */
  meets: string
  stage: () => Promise<Stage>
  expected: Partial<Extract<AttemptOutcome, { kind: 'rejected' }>> | { kind: 'accepted' } | { kind: 'unknown' }
  /** The caller stops the attempt when the vendor falls silent, instead of leaving it to the provider's own timeout. */
  isStopped?: boolean
}

/** A vendor that answers nothing must not hold an attempt longer than this; providers under test time out sooner. */
const longestAttemptMs = 4_000

/**
 * Runs one provider through what any vendor may do to it. Every network provider is a list of cases given to this:
 * each class of status, a hang, a reset, garbage, a closed port, an echo of everything private, an abort.
 */
export function conformanceSuite(name: string, cases: ConformanceCase[]): void {
  for (const { meets, stage, expected, isStopped } of cases) {
    test(`${name} meets ${meets}: ${Object.values(expected).join(', ')}`, async () => {
      await using on = await stage()
      const stop = new AbortController()
      if (isStopped) on.silence.then(() => stop.abort())
      const startedAt = performance.now()
      const outcome = await on.provider.send(on.message, stop.signal)
      await on.provider.close()

      assert.ok(performance.now() - startedAt < longestAttemptMs, 'the attempt ends in time')
      assert.deepEqual({ ...outcome, ...expected }, outcome)
      assertWellFormed(outcome)
    })
  }
}

function assertWellFormed(outcome: AttemptOutcome): void {
  const text = JSON.stringify(outcome).toLowerCase()
  for (const word of privateWords) assert.ok(!text.includes(word), `${word} is in ${text}`)
  assert.ok((outcome.detail ?? '').length <= 200, 'the detail is short')
  assert.doesNotMatch(outcome.detail ?? '', /[\r\n\t]/, 'the detail is one line')
  if (outcome.kind !== 'accepted') assert.ok(failureReasons.includes(outcome.reason))
}
