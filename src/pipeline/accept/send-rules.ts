import type { Channel } from '../../domain/channel.ts'
import type { IntentPayload, RecipientRef } from '../../domain/intent.ts'
import type { Schedule } from '../../domain/schedule.ts'
import { aLine, aLocale, anEmail, anEventType, anyText, aTimeZone, aWebUrl } from './text-rules.ts'
import { maxContentBytes } from './validate-fields.ts'

export const maxRecipients = 1_000

/** Of a recipient: everything but its type. */
export const recipientTexts = {
  id: aLine(255), // it stands in indexes
  email: anEmail,
  phone: anyText(1, 2048),
  name: aLine(2048),
  slackId: anyText(1, 2048),
  telegramId: anyText(1, 2048),
  discordId: anyText(1, 2048),
  webhookUrl: aWebUrl,
  locale: aLocale,
  timezone: aTimeZone,
} as const

/** Of a request to send: everything that is text. */
export const sendTexts = {
  idempotencyKey: anyText(1, 255),
  eventId: anyText(1, 255),
  type: anEventType,
  category: anyText(1, 200),
  template: anyText(1, 200),
  subject: aLine(maxContentBytes),
  body: anyText(0, maxContentBytes),
  bodyHtml: anyText(0, maxContentBytes),
  correlationId: anyText(1, 255),
} as const

export const recipientAddresses = ['email', 'phone', 'slackId', 'telegramId', 'discordId', 'webhookUrl'] as const

/** A SendNotificationInput in which every field by itself is as it must be; null is absent. */
export interface SendInput {
  idempotencyKey?: string
  eventId?: string
  type: string
  recipient?: RecipientRef
  recipients?: RecipientRef[]
  channels?: Channel[]
  fallbackChannels?: Channel[]
  priority?: number | null
  category?: string
  template?: string
  subject?: string
  body?: string
  bodyHtml?: string
  data?: Record<string, unknown>
  metadata?: Record<string, unknown>
  email?: IntentPayload['email']
  scheduledAt?: Date
  expiresAt?: Date
  schedule?: Schedule
  correlationId?: string
  traceparent?: string | null
}
