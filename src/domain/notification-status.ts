import type { Channel } from './channel.ts'

/** Where a delivery can be; the enum carillon.delivery_state. */
export const deliveryStates = [
  'queued',
  'snoozed',
  'held',
  'sending',
  'retrying',
  'sent',
  'delivered',
  'failed',
  'bounced',
  'cancelled',
  'suppressed',
  'expired',
] as const

export type DeliveryState = (typeof deliveryStates)[number]

export const notificationStatuses = [
  'pending',
  'queued',
  'sending',
  'sent',
  'delivered',
  'failed',
  'retrying',
  'cancelled',
  'suppressed',
  'expired',
  'scheduled',
] as const

export type NotificationStatus = (typeof notificationStatuses)[number]

/** What a planned notification can have become without a delivery. */
export type NotificationOutcome = Extract<DeliveryState, 'sent' | 'failed' | 'cancelled' | 'suppressed' | 'expired'>

/** Why an intent led to no notification. */
export type IntentOutcome = 'unmatched' | 'no_recipients' | 'failed' | 'cancelled'

const best: readonly DeliveryState[] = ['delivered', 'sent', 'sending', 'retrying', 'queued', 'snoozed', 'held']
const unanimous: readonly NotificationStatus[] = ['cancelled', 'suppressed', 'expired']

/**
 * The status of a planned notification: its outcome where it has one, else what its deliveries say together. The best
 * of them speaks for all; an end without success is named when all agree on it, and is `failed` when they do not. The
 * audit line is written while planning and reaches nobody, so it speaks only where there is nothing else. What waits in a
 * digest has no deliveries of its own.
 * sql/read/notification_status.sql says the same, for filters; a test keeps the two together.
 */
export function notificationStatus(
  outcome: NotificationOutcome | null,
  deliveries: readonly { channel: Channel; state: DeliveryState }[],
  reason: string | null = null,
): NotificationStatus {
  if (outcome) return outcome
  if (deliveries.length === 0) return reason === 'digest' ? 'scheduled' : 'pending'
  const reaching = deliveries.filter(({ channel }) => channel !== 'audit')
  const states = (reaching.length > 0 ? reaching : deliveries).map(({ state }) => state)
  const leading = best.find((state) => states.includes(state))
  if (leading) return deliveryStatus(leading)
  return unanimous.find((status) => states.every((state) => state === status)) ?? 'failed'
}

/** A delivery's state in the words of the API: a held fallback waits like a queued one, a bounce is a failure. */
export function deliveryStatus(state: DeliveryState): NotificationStatus {
  if (state === 'snoozed') return 'scheduled'
  if (state === 'held') return 'queued'
  if (state === 'bounced') return 'failed'
  return state
}

/** The status of a notification that planning has not written yet, told from its intent. */
export function unplannedStatus(
  intent: { outcome: IntentOutcome | null; scheduledAt: Date | null; expiresAt: Date | null },
  now: Date,
): NotificationStatus {
  if (intent.outcome === 'failed' || intent.outcome === 'cancelled') return intent.outcome
  if (intent.outcome) return 'suppressed'
  if (intent.expiresAt && intent.expiresAt <= now) return 'expired'
  if (intent.scheduledAt && intent.scheduledAt > now) return 'scheduled'
  return 'pending'
}
