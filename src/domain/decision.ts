import type { Channel } from './channel.ts'
import type { Fold } from './digest.ts'

/** The gates, in the order in which they are asked. */
export const gates = [
  'silence',
  'validity',
  'recipient',
  'suppression',
  'consent',
  'preference',
  'digest',
  'schedule',
  'quiet_hours',
  'send_window',
  'rate_limit',
] as const
export type Gate = (typeof gates)[number]

/** Why a gate did not let something through: a closed set, and the metric label. */
export const gateReasons = {
  silence: ['silenced', 'inhibited'],
  validity: ['expired', 'template_not_found', 'channel_disabled', 'no_address', 'no_recipients', 'rule_error'],
  recipient: ['recipient_disabled'],
  suppression: ['address_suppressed'],
  consent: ['no_consent'],
  preference: [
    'opted_out', // of everything
    'paused',
    'channel_opted_out',
    'category_opted_out',
    'category_channel_opted_out',
    'event_type_opted_out',
    'event_type_channel_opted_out',
    'below_min_priority',
  ],
  digest: ['digest'],
  schedule: ['scheduled'],
  quiet_hours: ['quiet_hours'],
  send_window: ['send_window'],
  rate_limit: ['rate_limited', 'quota_exceeded'],
} as const satisfies Record<Gate, readonly string[]>
export type GateReason = (typeof gateReasons)[Gate][number]

export type GateVerdict = 'pass' | 'suppress' | 'snooze' | 'fold' | 'expire' | 'fail'

/**
 * What one gate said, with the values that it compared. Only what a gate had something to look at is kept: a gate that is not
 * among the steps had nothing set and let everything through. Inputs name no address and no content.
 */
export interface Step {
  gate: Gate
  /** Absent: of all channels. */
  channel?: Channel
  verdict: GateVerdict
  reason?: GateReason
  /** ISO 8601: until when it waits, or until when the reason holds. */
  until?: string
  inputs?: Record<string, unknown>
  /** Versions of what was compared: preferences, defaults, rule, template … */
  versions?: Record<string, string | number>
}

export interface PlannedDelivery {
  channel: Channel
  state: 'queued' | 'held' | 'suppressed' | 'snoozed' | 'sent'
  address: string
  reason?: GateReason
  /** Of a snoozed one. */
  until?: Date
  /** 0 for the channels asked for; from 1 in the order of the fallbacks. */
  fallbackRank: number
}

/** What the gates say of one recipient. With an outcome or a fold there is nothing to deliver. */
export interface Decision {
  outcome?: 'expired' | 'failed' | 'suppressed'
  reason?: GateReason
  fold?: Fold
  deliveries: PlannedDelivery[]
  steps: Step[]
}
