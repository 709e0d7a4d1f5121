import type { Channel } from '../channel.ts'
import type { DecisionLine } from '../decision-line.ts'
import type { IntentPayload, RecipientType } from '../intent.ts'
import type { DeliveryState, NotificationOutcome, NotificationStatus } from '../notification-status.ts'

/* What is known of one request and one recipient: all that an explanation is made of. */

export interface IntentStory {
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category: string | null
  source: string
  eventId: string | null
  idempotencyKey: string | null
  correlationId: string | null
  acceptedAt: Date
  scheduledAt: Date | null
  expiresAt: Date | null
  outcome: string | null
  payload: Pick<IntentPayload, 'channels' | 'fallbackChannels' | 'template' | 'schedule' | 'event' | 'digest'>
  /** How many recipients the request names. */
  recipients: number
  /** Of the intent itself. */
  events: readonly StoryEvent[]
}

export interface StoryEvent {
  /** An intent, a notification or a delivery. */
  subjectId: string
  /** Those that were written together. */
  batch: string
  type: string
  at: Date
  data: Readonly<Record<string, unknown>>
}

export interface KeptDecision {
  at: Date
  batch: string
  line: DecisionLine
}

export interface DeliveryStory {
  id: string
  channel: Channel
  state: DeliveryState
  attempt: number
  fallbackRank: number
  reason: string | null
  nextAttemptAt: Date | null
  sentAt: Date | null
  deliveredAt: Date | null
  /** Of a snoozed one. */
  until: Date | null
}

export interface AttemptStory {
  channel: Channel
  attempt: number
  provider: string
  outcome: string
  reason: string | null
  /** Short and scrubbed. */
  detail: string | null
  startedAt: Date
  completedAt: Date | null
}

/** The digest that a notification was folded into. */
export interface DigestStory {
  id: string
  key: string
  kind: 'digest' | 'group'
  state: 'open' | 'full' | 'closed'
  openedAt: Date
  closesAt: Date
  closedAt: Date | null
  closeReason: string | null
  count: number
  folded: number | null
  /** What it went out as, and how that fared; absent where it has not, or is past its retention. */
  notification?: { id: string; status: NotificationStatus }
}

/** A notification that is planned. */
export interface NotificationStory {
  id: string
  recipientType: RecipientType
  recipientId: string
  channels: readonly Channel[]
  expiresAt: Date | null
  outcome: NotificationOutcome | null
  reason: string | null
  rule?: { id: string; name?: string; version: number }
  digest?: DigestStory
  deliveries: readonly DeliveryStory[]
  attempts: readonly AttemptStory[]
  events: readonly StoryEvent[]
  decisions: readonly KeptDecision[]
  /** How it came to name this recipient. */
  named: Named
}

/** How a request or a rule names a recipient. */
export interface Named {
  by: readonly ('user' | 'role' | 'group' | 'address' | 'expression' | 'target')[]
  /** Roles and groups that name this one, as memberships are now. */
  roles?: readonly string[]
  groups?: readonly string[]
  rule?: string
  /** Whether the recipient is (still) a member of one of them. */
  isMember?: boolean
}

/** What one rule said of the event. */
export interface RuleAnswer {
  rule: { id: string; name: string; version: number }
  verdict: 'match' | 'no_match' | 'error'
  reason?: RuleReason
  inputs: Record<string, unknown>
  /** Of a match: whether its audience has this recipient now. */
  names?: Named
  audience?: Record<string, unknown>
}

/** Why a rule did not take part: a closed set. */
export const ruleReasons = [
  'switched_off',
  'not_valid_then',
  'other_type',
  'other_domain',
  'pattern_false',
  'expression_failed',
  'not_loaded_yet',
] as const
export type RuleReason = (typeof ruleReasons)[number]

/** One request, and what there is of it for one recipient. */
export interface RequestStory {
  now: Date
  /** As it was asked for. */
  intentId: string
  /** Absent: there is no such request. */
  intent?: IntentStory
  /** Absent: it was asked for the request alone. */
  recipientId?: string
  /** Of a business event, in the rules' order. */
  rules: readonly RuleAnswer[]
  notifications: readonly NotificationStory[]
  /** Without a notification: how a direct request names the recipient; absent: not at all. */
  named?: Named
  /** Roles and groups that a direct request names. */
  audience?: { roles: readonly string[]; groups: readonly string[] }
  /** When recipients were looked up; absent: that is still to come. */
  decidedAt?: Date
  /** Its recipients are planned in pages, and the page of this one has not come yet. */
  isToCome?: boolean
}
