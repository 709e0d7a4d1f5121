import type { Channel } from './channel.ts'

/** How often a category reaches a person: at once, or folded into digests. `digest` takes the category's own window. */
export const frequencies = ['instant', 'digest', 'hourly', 'daily', 'weekly'] as const
export type Frequency = (typeof frequencies)[number]

/** Times are HH:MM of the wall clock; a span that ends before it begins goes over midnight. */
export interface QuietHours {
  enabled: boolean
  startTime: string
  endTime: string
  /** Absent: the recipient's. */
  timezone?: string
  /** Days on which a span begins: 1 Monday … 7 Sunday (0 is Sunday too). Absent: every day. */
  days?: readonly number[]
  allowCritical: boolean
}

export interface CategoryPreference {
  enabled?: boolean
  channels?: readonly Channel[]
  /** 0 LOW … 3 CRITICAL. */
  minPriority?: number
  frequency?: Frequency
}

/** What one person has said, or a tenant as the default of everybody; what is absent was not said. */
export interface Preferences {
  enabled?: boolean
  pausedUntil?: Date
  minPriority?: number
  channels?: Partial<Record<Channel, { enabled?: boolean; address?: string }>>
  categories?: Readonly<Record<string, CategoryPreference>>
  eventTypes?: Readonly<Record<string, { enabled?: boolean; channels?: readonly Channel[] }>>
  quietHours?: QuietHours
  /** As they were told with the preferences: the recipient's own stand with the recipient. Of defaults: for who has none. */
  timezone?: string
  locale?: string
}

/** Preferences as they stand in the database, with the version that a decision names. */
export interface SaidPreferences {
  version: number
  said: Preferences
}
