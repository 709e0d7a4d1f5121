import { priorities } from '../../domain/priority.ts'
import { builder } from './builder.ts'
import { ChannelEnum, PriorityEnum, RecipientTypeEnum } from './scalars.ts'

const RecipientInput = builder.inputType('RecipientInput', {
  description: 'Whom to notify: by id, by addresses, or both; a role or a group by id.',
  fields: (t) => ({
    type: t.field({ type: RecipientTypeEnum, defaultValue: 'user' }),
    id: t.string(),
    email: t.string(),
    phone: t.string(),
    name: t.string(),
    slackId: t.string(),
    telegramId: t.string(),
    discordId: t.string(),
    webhookUrl: t.string(),
    locale: t.string({ description: 'BCP 47' }),
    timezone: t.string({ description: 'IANA' }),
  }),
})

const AttachmentInput = builder.inputType('AttachmentInput', {
  description: 'A file: its bytes as base64, or a URL on a host that the service may fetch from.',
  fields: (t) => ({
    filename: t.string({ required: true }),
    contentType: t.string(),
    contentBase64: t.string(),
    url: t.string(),
    contentId: t.string({ description: 'Makes it an inline image, shown where the HTML says cid:…' }),
  }),
})

const EmailOptionsInput = builder.inputType('EmailOptionsInput', {
  fields: (t) => ({
    cc: t.stringList(),
    bcc: t.stringList(),
    replyTo: t.string(),
    attachments: t.field({ type: [AttachmentInput] }),
  }),
})

export const SendWindowInput = builder.inputType('SendWindowInput', {
  description: 'When it may leave, by the wall clock; a window that ends before it begins goes over midnight.',
  fields: (t) => ({
    startTime: t.string({ required: true, description: 'HH:MM' }),
    endTime: t.string({ required: true, description: 'HH:MM' }),
    timezone: t.string({ description: "IANA; default: the recipient's." }),
    days: t.intList({ description: 'Days on which a window begins: 1 Monday … 7 Sunday. Default: every day.' }),
  }),
})

export const ScheduleInput = builder.inputType('ScheduleInput', {
  description:
    'When each recipient gets it. What is given holds together: first the delay, then the time, then the window.',
  fields: (t) => ({
    delay: t.int({ description: 'Seconds from when it is accepted, or from scheduledAt; at most 366 days.' }),
    localTime: t.string({ description: 'HH:MM: the first such moment from then on.' }),
    timezone: t.string({ description: "IANA, of localTime; default: the recipient's." }),
    sendWindow: t.field({ type: SendWindowInput }),
  }),
})

export const SendNotificationInput = builder.inputType('SendNotificationInput', {
  fields: (t) => ({
    idempotencyKey: t.string({ description: 'The same key with the same content is one notification.' }),
    eventId: t.string(),
    type: t.string({ required: true, description: 'e.g. commerce.order.shipped' }),
    recipient: t.field({ type: RecipientInput, description: 'Exactly one of recipient and recipients.' }),
    recipients: t.field({ type: [RecipientInput], description: 'Only in sendNotifications; at most 1000.' }),
    channels: t.field({ type: [ChannelEnum] }),
    fallbackChannels: t.field({ type: [ChannelEnum] }),
    priority: t.field({ type: PriorityEnum, defaultValue: priorities.NORMAL }),
    category: t.string(),
    template: t.string({ description: 'The name of a template; or inline content: subject, body, bodyHtml.' }),
    subject: t.string(),
    body: t.string(),
    bodyHtml: t.string(),
    data: t.field({ type: 'JSON' }),
    metadata: t.field({ type: 'JSON' }),
    email: t.field({ type: EmailOptionsInput }),
    scheduledAt: t.field({ type: 'DateTime', description: 'At most 366 days ahead.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'After this moment it is not sent any more.' }),
    schedule: t.field({ type: ScheduleInput, description: 'When each recipient gets it, by a clock of their own.' }),
    correlationId: t.string(),
    traceparent: t.string({ description: 'W3C; default: the HTTP header.' }),
  }),
})

export const EventInput = builder.inputType('EventInput', {
  fields: (t) => ({
    id: t.string({ required: true, description: 'The idempotency key of the event.' }),
    type: t.string({ required: true, description: 'e.g. commerce.order.shipped' }),
    domain: t.string({ description: 'Default: the first segment of type.' }),
    source: t.string(),
    occurredAt: t.field({ type: 'DateTime' }),
    data: t.field({ type: 'JSON', required: true }),
    correlationId: t.string(),
    traceparent: t.string(),
  }),
})
