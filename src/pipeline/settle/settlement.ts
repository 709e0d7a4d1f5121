import type { Channel } from '../../domain/channel.ts'
import type { EventData } from '../../domain/event-types.ts'
import type { AttemptOutcome, FailureReason } from '../../domain/outcome.ts'
import { nextWaitMs, type RetryPolicy } from '../../domain/retry-policy.ts'

/** A finished attempt, as settling reads it. */
export interface Finished {
  item: {
    claim: { deliveryId: string; channel: Channel; attempt: number; priority: number; possibleDuplicate: boolean }
    about?: {
      recipient_id: string
      type: string
      has_fallback: boolean
      correlation_id: string | null
      traceparent: string | null
      idempotency_key: string | null
      created_at: string
    }
    message?: {
      subject?: string
      body?: string
      bodyHtml?: string
      data: object
      webhook?: { endpointId: string; statusEvent?: object }
    }
  }
  provider: string
  startedAt: Date
  completedAt: Date
  kind: 'tried' | 'expired' | 'handed_back'
  outcome?: AttemptOutcome
}

/** Where a delivery goes next, and why. `reason` is the metric label. */
export type Step =
  | { state: 'sent'; event: 'sent'; reason?: undefined }
  | { state: 'retrying'; event: 'retrying'; reason: FailureReason | 'outcome_unknown'; nextAttemptAt: Date }
  | { state: 'failed'; event: 'failed'; reason: FailureReason }
  | { state: 'expired'; event: 'expired'; reason: 'expired' }
  | { state: 'queued'; event?: undefined; reason?: undefined }

/** Decides where a finished attempt leads. Pure; `random` is 0 ≤ r < 1. */
export function nextStep(finished: Finished, policy: RetryPolicy, now: Date, random: number): Step {
  if (finished.kind === 'expired') return { state: 'expired', event: 'expired', reason: 'expired' }
  const { outcome } = finished
  if (finished.kind === 'handed_back' || !outcome) return { state: 'queued' }
  if (outcome.kind === 'accepted') return { state: 'sent', event: 'sent' }
  const waitMs = nextWaitMs(policy, finished.item.claim.attempt, outcome, random)
  if (waitMs === undefined) return { state: 'failed', event: 'failed', reason: outcome.reason }
  const reason = outcome.kind === 'unknown' ? 'outcome_unknown' : outcome.reason
  return { state: 'retrying', event: 'retrying', reason, nextAttemptAt: new Date(now.getTime() + waitMs) }
}

/** One settled attempt as a row of sql/settle/settle_attempts.sql. */
export interface SettlementRow {
  finished: Finished
  step: Step
}

/** The status events of one finished attempt. */
export function settlementEvents({ finished, step }: SettlementRow): object[] {
  if (!step.event) return []
  const { claim, about } = finished.item
  const data = {
    recipient_id: about?.recipient_id,
    type: about?.type,
    channel: claim.channel,
    attempt: claim.attempt,
    provider: finished.kind === 'tried' ? finished.provider : undefined,
    reason: step.reason,
    possible_duplicate: claim.possibleDuplicate || undefined,
    next_attempt_at: step.state === 'retrying' ? step.nextAttemptAt : undefined,
    idempotency_key: about?.idempotency_key ?? undefined,
    correlation_id: about?.correlation_id ?? undefined,
    traceparent: about?.traceparent ?? undefined,
  } satisfies EventData
  const subject_id = claim.deliveryId
  const told = { subject_id, type: `notification.${claim.channel}.${step.event}`, data }
  return step.state === 'failed' ? [told, { subject_id, type: 'notification.dead_lettered', data }] : [told]
}

/** What a provider said, so that Postgres takes it: cut to size, without NUL and without half of an emoji. */
export function storable(text: string | undefined, length: number): string | undefined {
  return text?.slice(0, length).toWellFormed().replaceAll('\0', '')
}
