import type { Channel } from './channel.ts'
import type { Attachment } from './message.ts'
import type { Schedule } from './schedule.ts'

export type RecipientType = 'user' | 'role' | 'group' | 'system'

/** Whom a request names: by id, by addresses, or both; a role or a group by id. Absent fields are absent, never null. */
export interface RecipientRef {
  type: RecipientType
  id?: string
  email?: string
  phone?: string
  name?: string
  slackId?: string
  telegramId?: string
  discordId?: string
  webhookUrl?: string
  /** The service of a pager that a rule names. */
  pagerdutyKey?: string
  /** Of a status webhook; no request can name it. */
  webhookEndpointId?: string
  locale?: string
  timezone?: string
}

/** What was said in a request, as stored in `intents.payload`. */
export interface IntentPayload {
  recipients?: RecipientRef[]
  channels?: Channel[]
  fallbackChannels?: Channel[]
  /** Name of a template; else the content is inline. */
  template?: string
  subject?: string
  body?: string
  bodyHtml?: string
  email?: { cc?: string[]; bcc?: string[]; replyTo?: string; attachments?: Attachment[] }
  data: Record<string, unknown>
  metadata: Record<string, unknown>
  /** When each recipient gets it, by a clock of their own. */
  schedule?: Schedule
  /** Of a business event. */
  event?: { domain: string; source?: string; occurredAt?: string }
  /** Of a digest that was closed, or a group of alerts that is told of: it is not folded again. */
  digest?: { id: string; rule?: { id: string; version: number } }
  /** Of a status webhook: the event that it tells of, which `data` describes. */
  statusEvent?: { id: string; at: string }
}

/** A validated request, ready to be accepted. Times are ISO 8601 in UTC. */
export interface NewIntent {
  tenantId: string
  kind: 'direct' | 'event'
  type: string
  /** 0 LOW … 3 CRITICAL. */
  priority: number
  category?: string
  idempotencyKey?: string
  eventId?: string
  correlationId?: string
  traceparent?: string
  source: 'graphql' | 'sql' | 'cli' | 'system' | 'kafka'
  scheduledAt?: string
  expiresAt?: string
  payload: IntentPayload
}

/** The answer to one intent, after the commit. Notifications follow from the intent's id (see ids.ts). */
export type AcceptAnswer =
  | { status: 'accepted' | 'duplicate'; intentId: string }
  | { status: 'conflict'; intentId: string }
