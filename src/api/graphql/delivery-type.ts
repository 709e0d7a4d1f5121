import { notificationIdOf } from '../../domain/ids.ts'
import { type DeliveryState, deliveryStatus } from '../../domain/notification-status.ts'
import type { DeliveryRow } from '../../store/deliveries.ts'
import type { DeliveryAttemptRow } from '../../store/delivery-attempts.ts'
import { builder } from './builder.ts'
import type { Loaders } from './loaders.ts'
import { deliveriesOf, type NotificationView } from './notification-view.ts'
import { ChannelEnum, StatusEnum } from './scalars.ts'

export const DeliveryAttempt = builder.objectRef<DeliveryAttemptRow>('DeliveryAttempt').implement({
  description: 'One try of one delivery at one provider.',
  fields: (t) => ({
    attemptNumber: t.exposeInt('attempt'),
    channel: t.field({ type: ChannelEnum, resolve: (attempt) => attempt.channel }),
    provider: t.exposeString('provider'),
    status: t.exposeString('outcome', { description: 'accepted, rejected, unknown, delivered or bounced' }),
    error: t.string({ nullable: true, resolve: errorOfAttempt }),
    providerMessageId: t.exposeString('provider_message_id', { nullable: true }),
    startedAt: t.field({ type: 'DateTime', resolve: (attempt) => attempt.started_at }),
    completedAt: t.field({ type: 'DateTime', nullable: true, resolve: (attempt) => attempt.completed_at }),
  }),
})

export const Delivery = builder.objectRef<DeliveryRow>('Delivery').implement({
  description: 'One notification on one channel.',
  fields: (t) => ({
    id: t.exposeID('id'),
    channel: t.field({ type: ChannelEnum, resolve: (delivery) => delivery.channel }),
    status: t.field({ type: StatusEnum, resolve: (delivery) => deliveryStatus(delivery.state) }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'Why it was suppressed, snoozed, failed or cancelled.',
    }),
    until: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'What waits for a gate is decided anew then, or earlier where something changes.',
      resolve: (delivery) => delivery.until,
    }),
    sentAt: t.field({ type: 'DateTime', nullable: true, resolve: (delivery) => delivery.sent_at }),
    deliveredAt: t.field({ type: 'DateTime', nullable: true, resolve: (delivery) => delivery.delivered_at }),
    nextAttemptAt: t.field({ type: 'DateTime', nullable: true, resolve: (delivery) => delivery.next_attempt_at }),
    attempts: t.field({
      type: [DeliveryAttempt],
      resolve: async (delivery, _args, { load }) =>
        (await load.attempts(notificationIdOf(delivery.id))).filter((attempt) => attempt.delivery_id === delivery.id),
    }),
  }),
})

function errorOfAttempt(attempt: DeliveryAttemptRow): string | null {
  if (attempt.reason === null) return null
  return attempt.detail ? `${attempt.reason}: ${attempt.detail}` : attempt.reason
}

const stopped: readonly DeliveryState[] = ['suppressed', 'expired', 'cancelled']

/** Why a notification did not get through, or has not yet: what its last failed attempt said, or what stopped all of it. */
export async function errorOf(view: NotificationView, load: Loaders): Promise<string | null> {
  if (view.unplanned || view.outcome) return view.reason
  const deliveries = await deliveriesOf(view, load)
  const failing = deliveries.filter(({ state }) => ['failed', 'bounced', 'retrying'].includes(state))
  if (failing.length === 0) {
    const reaching = deliveries.filter(({ channel }) => channel !== 'audit')
    return reaching.every(({ state }) => stopped.includes(state)) ? (reaching[0]?.reason ?? null) : null
  }
  const ids = new Set(failing.map((delivery) => delivery.id))
  const last = (await load.attempts(view.id)).findLast((attempt) => ids.has(attempt.delivery_id) && attempt.reason)
  return last ? errorOfAttempt(last) : (failing[0]?.reason ?? null)
}
