import type { Channel } from './channel.ts'

/** How much may be sent: `max` in each sliding window of so many seconds, or in each calendar day or month (UTC). */
export interface Limit {
  id: string
  name: string
  /** Of each recipient, of the tenant, or of the whole installation. */
  scope: 'user' | 'tenant' | 'system'
  category?: string
  channel?: Channel
  max: number
  window: { seconds: number } | { calendar: 'day' | 'month' }
  /** Absent: as the category says. */
  onExcess?: 'snooze' | 'suppress'
  /** CRITICAL is counted, and let through. */
  allowCritical: boolean
}
