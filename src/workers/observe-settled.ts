import type { Settled } from '../pipeline/settle/settle-attempts.ts'
import type { Logger } from '../platform/logger.ts'
import type { Metrics } from '../platform/metrics.ts'

/** Metrics and log lines of what was settled: ids, channels and reasons, never a recipient. */
export function observeSettled(metrics: Metrics, logger: Logger, settled: readonly Settled[], now: Date): void {
  for (const { finished, step } of settled) {
    const { channel, deliveryId, attempt } = finished.item.claim
    const { outcome, provider } = finished
    metrics.deliveries.inc({ channel, outcome: step.state, reason: step.reason ?? '' })
    if (outcome) {
      const reason = outcome.kind === 'accepted' ? '' : outcome.reason
      metrics.attempts.inc({ channel, provider, outcome: outcome.kind, reason })
      metrics.attemptSeconds.observe(
        { channel, provider },
        (finished.completedAt.getTime() - finished.startedAt.getTime()) / 1000,
      )
    }
    const { about } = finished.item
    if (step.state === 'sent' && about && attempt === 1) {
      metrics.deliverySeconds.observe({ channel }, (now.getTime() - new Date(about.created_at).getTime()) / 1000)
    }
    if (step.state === 'failed' || step.state === 'retrying') {
      const traceId = about?.traceparent?.split('-')[1]
      const correlationId = about?.correlation_id ?? undefined
      const { reason } = step
      logger.warn({ deliveryId, channel, provider, attempt, reason, correlationId, traceId }, `delivery ${step.state}`)
    }
  }
}
