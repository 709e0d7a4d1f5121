import type { RecipientRef } from '../../domain/intent.ts'
import { maxRecipients, recipientAddresses, recipientTexts, type SendInput, sendTexts } from './send-rules.ts'
import { keeps, type TextRule } from './text-rules.ts'
import { channelsLimit, isStorableObject, parseMoment } from './validate-fields.ts'

type Input = Readonly<Record<string, unknown>>
type Question = (value: unknown) => boolean

const questions = (rules: Readonly<Record<string, TextRule>>): [string, Question][] =>
  Object.entries(rules).map(([name, rule]) => [name, keeps(rule)])

const isChannelList: Question = (value) => Array.isArray(value) && value.length <= channelsLimit
const isMoment: Question = (value) => typeof value === 'string' && parseMoment(value) !== undefined
const isRecipient: Question = (value) => typeof value === 'object' && value !== null && isPlainRecipient(value as Input)

const ofRecipient = new Map<string, Question>([['type', () => true], ...questions(recipientTexts)])

/** Fields that are missing here, the options of e-mail and the schedule, are rare enough to be left to zod. */
const ofSend = new Map<string, Question>([
  ...questions(sendTexts),
  ['recipient', isRecipient],
  [
    'recipients',
    (value) => Array.isArray(value) && value.length > 0 && value.length <= maxRecipients && value.every(isRecipient),
  ],
  ['channels', isChannelList],
  ['fallbackChannels', isChannelList],
  ['priority', () => true],
  ['data', isStorableObject],
  ['metadata', isStorableObject],
  ['scheduledAt', isMoment],
  ['expiresAt', isMoment],
  ['traceparent', (value) => typeof value === 'string'],
])

function isPlainRecipient(input: Input): boolean {
  for (const name in input) {
    const value = input[name]
    if (value === null || value === undefined || (name === 'id' && value === '')) continue
    if (!ofRecipient.get(name)?.(value)) return false
  }
  if (input.id) return true
  return (input.type ?? 'user') === 'user' && recipientAddresses.some((address) => input[address] != null)
}

/**
 * What zod would make of a SendNotificationInput in which nothing is wrong or unusual, at a fifth of the cost; undefined:
 * let zod look. The rules of texts are the ones that zod's schemas are made of.
 */
export function readPlainly(input: Input): SendInput | undefined {
  if (typeof input !== 'object' || input === null || typeof input.type !== 'string') return undefined
  for (const name in input) {
    const value = input[name]
    if (value === null || value === undefined) continue
    if (!ofSend.get(name)?.(value)) return undefined
  }
  const given = input as unknown as Given
  return {
    idempotencyKey: given.idempotencyKey ?? undefined,
    eventId: given.eventId ?? undefined,
    type: given.type,
    recipient: given.recipient ? recipientOf(given.recipient) : undefined,
    recipients: given.recipients?.map(recipientOf),
    channels: given.channels ?? undefined,
    fallbackChannels: given.fallbackChannels ?? undefined,
    priority: given.priority ?? undefined,
    category: given.category ?? undefined,
    template: given.template ?? undefined,
    subject: given.subject ?? undefined,
    body: given.body ?? undefined,
    bodyHtml: given.bodyHtml ?? undefined,
    data: given.data ?? undefined,
    metadata: given.metadata ?? undefined,
    email: undefined,
    scheduledAt: given.scheduledAt ? new Date(given.scheduledAt) : undefined,
    expiresAt: given.expiresAt ? new Date(given.expiresAt) : undefined,
    schedule: undefined,
    correlationId: given.correlationId ?? undefined,
    traceparent: given.traceparent,
  }
}

type OrNull<Fields> = { [Name in keyof Fields]: Fields[Name] | null }
type GivenRecipient = OrNull<RecipientRef>
/** What every name stands for, now that it has been judged. */
type Given = OrNull<Omit<SendInput, 'type' | 'recipient' | 'recipients' | 'scheduledAt' | 'expiresAt'>> & {
  type: string
  recipient?: GivenRecipient | null
  recipients?: GivenRecipient[] | null
  scheduledAt?: string | null
  expiresAt?: string | null
}

function recipientOf(given: GivenRecipient): RecipientRef {
  return {
    type: given.type ?? 'user',
    id: given.id || undefined,
    email: given.email ?? undefined,
    phone: given.phone ?? undefined,
    name: given.name ?? undefined,
    slackId: given.slackId ?? undefined,
    telegramId: given.telegramId ?? undefined,
    discordId: given.discordId ?? undefined,
    webhookUrl: given.webhookUrl ?? undefined,
    locale: given.locale ?? undefined,
    timezone: given.timezone ?? undefined,
  }
}
