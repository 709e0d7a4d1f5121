import type { Channel } from '../domain/channel.ts'
import { type Queryable, run, statement } from '../platform/db.ts'
import { storyBounds } from './id-bounds.ts'

export interface DeliveryAttemptRow {
  delivery_id: string
  attempt: number
  channel: Channel
  provider: string
  outcome: 'accepted' | 'rejected' | 'unknown' | 'delivered' | 'bounced'
  reason: string | null
  detail: string | null
  provider_message_id: string | null
  started_at: Date
  completed_at: Date | null
}

const attemptsOf = statement('read/attempts_of')

/** The attempts of these notifications, in the order in which they began. */
export async function findAttempts(
  on: Queryable,
  tenantId: string,
  notificationIds: readonly string[],
): Promise<DeliveryAttemptRow[]> {
  if (notificationIds.length === 0) return []
  return run<DeliveryAttemptRow & Record<string, unknown>>(on, attemptsOf, [tenantId, ...storyBounds(notificationIds)])
}
