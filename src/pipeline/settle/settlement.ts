import type { Channel } from '../../domain/channel.ts'
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
      created_at: string
    }
    message?: { subject?: string; body?: string; bodyHtml?: string; data: object; webhook?: { endpointId: string } }
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

/** The row and the events of sql/settle/settle_attempts.sql for one finished attempt. */
export function settlementRow(
  finished: Finished,
  step: Step,
  ids: { id(): string },
): { row: object; events: object[] } {
  const { claim, about } = finished.item
  const { outcome } = finished
  const failure = outcome && outcome.kind !== 'accepted' ? outcome : undefined
  const story = {
    recipient_id: about?.recipient_id,
    type: about?.type,
    channel: claim.channel,
    attempt: claim.attempt,
    provider: finished.kind === 'tried' ? finished.provider : undefined,
    reason: step.reason,
    possible_duplicate: claim.possibleDuplicate || undefined,
    next_attempt_at: step.state === 'retrying' ? step.nextAttemptAt : undefined,
    correlation_id: about?.correlation_id ?? undefined,
    traceparent: about?.traceparent ?? undefined,
  }
  const events: object[] = []
  const tell = (type: string) => events.push({ delivery_id: claim.deliveryId, id: ids.id(), type, data: story })
  if (step.event) tell(`notification.${claim.channel}.${step.event}`)
  if (step.state === 'failed') tell('notification.dead_lettered')
  const row = {
    delivery_id: claim.deliveryId,
    attempt: claim.attempt,
    state: step.state,
    reason: step.reason,
    next_attempt_at: step.state === 'retrying' ? step.nextAttemptAt : undefined,
    tried: finished.kind === 'tried',
    channel: claim.channel,
    provider: finished.provider,
    outcome: outcome?.kind,
    attempt_reason: failure?.reason,
    detail: storable(outcome?.detail, 200),
    provider_message_id: outcome?.kind === 'accepted' ? storable(outcome.providerMessageId, 500) : undefined,
    possible_duplicate: claim.possibleDuplicate,
    started_at: finished.startedAt,
    completed_at: finished.completedAt,
    dead: step.state === 'failed',
  }
  return { row, events }
}

/** What a provider said, so that Postgres takes it: cut to size, without NUL and without half of an emoji. */
function storable(text: string | undefined, length: number): string | undefined {
  return text?.slice(0, length).toWellFormed().replaceAll('\0', '')
}
