import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import type { IntentPayload, NewIntent, RecipientType } from '../../domain/intent.ts'
import { priorities } from '../../domain/priority.ts'
import type { InputFault } from './input-fault.ts'
import { readPlainly } from './plain-send.ts'
import { scheduleInput } from './schedule-rules.ts'
import { maxRecipients, recipientAddresses, recipientTexts, type SendInput, sendTexts } from './send-rules.ts'
import { type TextRule, told } from './text-rules.ts'
import {
  channelsLimit,
  dateTime,
  email,
  faultsOf,
  jsonObject,
  maxContentBytes,
  maxScheduledMs,
  orAbsent,
  orEmpty,
  text,
  traceparentOf,
  webUrl,
} from './validate-fields.ts'

const maxAttachments = 20
const maxCopies = 100

export type ValidatedIntent = { ok: true; intent: NewIntent } | { ok: false; faults: InputFault[] }

export interface SendCaller {
  tenantId: string
  /** The way it came in; by default GraphQL. */
  source?: NewIntent['source']
  /** The transport's own, for inputs without a trace of their own. */
  traceparent?: string
}

const optional = (rule: TextRule) => orAbsent(told(rule))

const recipient = z
  .object({
    type: z.custom<RecipientType>().nullish(),
    id: orEmpty(told(recipientTexts.id)),
    email: optional(recipientTexts.email),
    phone: optional(recipientTexts.phone),
    name: optional(recipientTexts.name),
    slackId: optional(recipientTexts.slackId),
    telegramId: optional(recipientTexts.telegramId),
    discordId: optional(recipientTexts.discordId),
    webhookUrl: optional(recipientTexts.webhookUrl),
    locale: optional(recipientTexts.locale),
    timezone: optional(recipientTexts.timezone),
  })
  .transform(({ type, ...rest }) => ({ type: type ?? ('user' as const), ...rest }))
  .superRefine((value, check) => {
    if (value.id !== undefined) return
    if (value.type !== 'user') check.addIssue({ code: 'custom', path: ['id'], message: 'is needed' })
    else if (recipientAddresses.every((address) => value[address] === undefined)) {
      check.addIssue({ code: 'custom', message: 'needs an id or an address' })
    }
  })

const channelList = z.custom<Channel[]>().superRefine((value, check) => {
  if (value.length > channelsLimit) check.addIssue({ code: 'custom', message: `must be at most ${channelsLimit}` })
})

const isBase64 = (value: string) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value)

const attachment = z
  .object({
    filename: text(1, 255).refine((value) => !/[\r\n/\\]/.test(value), 'must be one line without slashes'),
    contentType: orAbsent(
      z.string().regex(/^[A-Za-z0-9!#$&^_.+-]{1,100}\/[A-Za-z0-9!#$&^_.+-]{1,100}$/, 'is not a media type'),
    ),
    contentBase64: orAbsent(z.string().refine(isBase64, 'is not base64')),
    url: orAbsent(webUrl),
    contentId: orAbsent(
      z.string().regex(/^[A-Za-z0-9._@+-]{1,200}$/, 'must be 1 to 200 letters, digits and . _ @ + -'),
    ),
  })
  .refine((value) => (value.contentBase64 === undefined) !== (value.url === undefined), 'needs contentBase64 or url')

const emailOptions = z.object({
  cc: orAbsent(z.array(email).max(maxCopies, `must be at most ${maxCopies}`)),
  bcc: orAbsent(z.array(email).max(maxCopies, `must be at most ${maxCopies}`)),
  replyTo: orAbsent(email),
  attachments: orAbsent(z.array(attachment).max(maxAttachments, `must be at most ${maxAttachments}`)),
})

export const sendInput = z.object({
  idempotencyKey: optional(sendTexts.idempotencyKey),
  eventId: optional(sendTexts.eventId),
  type: told(sendTexts.type),
  recipient: orAbsent(recipient),
  recipients: orAbsent(
    z.array(recipient).min(1, 'must not be empty').max(maxRecipients, `must be at most ${maxRecipients}`),
  ),
  channels: orAbsent(channelList),
  fallbackChannels: orAbsent(channelList),
  priority: z.custom<number>().nullish(),
  category: optional(sendTexts.category),
  template: optional(sendTexts.template),
  subject: optional(sendTexts.subject),
  body: optional(sendTexts.body),
  bodyHtml: optional(sendTexts.bodyHtml),
  data: orAbsent(jsonObject),
  metadata: orAbsent(jsonObject),
  email: orAbsent(emailOptions),
  scheduledAt: orAbsent(dateTime),
  expiresAt: orAbsent(dateTime),
  schedule: orAbsent(scheduleInput),
  correlationId: optional(sendTexts.correlationId),
  traceparent: z.string().nullish(),
})

/**
 * Judges a SendNotificationInput that GraphQL has coerced, and makes an intent of it. `path` is where the input stands in
 * the request; `single`: sendNotification, which takes exactly one recipient.
 */
export function validateSend(
  input: unknown,
  caller: SendCaller,
  now: Date,
  at: { path: readonly string[]; single: boolean },
): ValidatedIntent {
  let read: SendInput | undefined = readPlainly(input as Record<string, unknown>)
  if (!read) {
    const parsed = sendInput.safeParse(input)
    if (!parsed.success) return { ok: false, faults: faultsOf(parsed.error, at.path) }
    read = parsed.data
  }
  const found = findFault(read, now, at.single)
  if (found) return { ok: false, faults: [{ path: [...at.path, found.field], message: found.message }] }
  return { ok: true, intent: toIntent(read, caller) }
}

/** What concerns several fields at once. */
function findFault(input: SendInput, now: Date, single: boolean): { field: string; message: string } | undefined {
  const fault = (field: keyof SendInput, message: string) => ({ field, message })
  if (single && input.recipients !== undefined)
    return fault('recipients', 'is for sendNotifications; name one recipient')
  if ((input.recipient === undefined) === (input.recipients === undefined)) {
    return fault('recipient', single ? 'is needed' : 'or recipients is needed, and not both')
  }
  if (input.channels?.length === 0) return fault('channels', 'must not be empty')
  const inline = input.subject !== undefined || input.body !== undefined || input.bodyHtml !== undefined
  if (input.template === undefined && !inline) {
    return fault('template', 'or inline content is needed: subject, body, bodyHtml')
  }
  if (input.template !== undefined && inline) return fault('template', 'and inline content exclude each other')
  if (contentBytes(input) > maxContentBytes) return fault('data', 'and the rest of the content are larger than 1 MiB')
  if (input.scheduledAt && input.scheduledAt.getTime() > now.getTime() + maxScheduledMs) {
    return fault('scheduledAt', 'must be within 366 days')
  }
  if (input.expiresAt) {
    if (input.expiresAt <= now) return fault('expiresAt', 'must be in the future')
    if (input.scheduledAt && input.expiresAt <= input.scheduledAt)
      return fault('expiresAt', 'must be after scheduledAt')
    const from = Math.max(now.getTime(), input.scheduledAt?.getTime() ?? 0)
    if (input.expiresAt.getTime() <= from + (input.schedule?.delayMs ?? 0))
      return fault('expiresAt', 'must be after the delay of schedule')
  }
  return undefined
}

function contentBytes({ subject, body, bodyHtml, data, metadata }: SendInput): number {
  let bytes = 0
  for (const part of [subject, body, bodyHtml]) if (part) bytes += Buffer.byteLength(part)
  for (const part of [data, metadata]) if (part) bytes += Buffer.byteLength(JSON.stringify(part))
  return bytes
}

/** JSON leaves out what is undefined, so absent fields stay absent in what is stored and hashed. */
function toIntent(input: SendInput, caller: SendCaller): NewIntent {
  const payload: IntentPayload = {
    recipients: input.recipients ?? [input.recipient!],
    channels: input.channels,
    fallbackChannels: input.fallbackChannels,
    template: input.template,
    subject: input.subject,
    body: input.body,
    bodyHtml: input.bodyHtml,
    email: input.email,
    data: input.data ?? {},
    metadata: input.metadata ?? {},
    schedule: input.schedule,
  }
  return {
    tenantId: caller.tenantId,
    kind: 'direct',
    type: input.type,
    priority: input.priority ?? priorities.NORMAL,
    category: input.category,
    idempotencyKey: input.idempotencyKey,
    eventId: input.eventId,
    correlationId: input.correlationId,
    traceparent: traceparentOf(input.traceparent, caller.traceparent),
    source: caller.source ?? 'graphql',
    scheduledAt: input.scheduledAt?.toISOString(),
    expiresAt: input.expiresAt?.toISOString(),
    payload,
  }
}
