import { channels } from '../../domain/channel.ts'
import { priorities } from '../../domain/priority.ts'
import type { InputFault } from './input-fault.ts'
import { isRecord } from './read-envelope.ts'
import { recipientTexts, sendTexts } from './send-rules.ts'

export type CoercedRequest = { ok: true; input: Record<string, unknown> } | { ok: false; faults: InputFault[] }

const words = <Value>(entries: readonly (readonly [string, Value])[]) => new Map<unknown, Value>(entries)
const channelWords = words(channels.map((channel) => [channel.toUpperCase(), channel] as const))
const priorityWords = words(Object.entries(priorities))
const typeWords = words(
  (['user', 'role', 'group', 'system'] as const).map((type) => [type.toUpperCase(), type] as const),
)

const ofRecipient = new Set(['type', ...Object.keys(recipientTexts)])
const ofEmail = new Set(['cc', 'bcc', 'replyTo', 'attachments'])
const ofAttachment = new Set(['filename', 'contentType', 'contentBase64', 'url', 'contentId'])
const ofRequest = new Set([
  ...Object.keys(sendTexts),
  'recipient',
  'recipients',
  'channels',
  'fallbackChannels',
  'priority',
  'data',
  'metadata',
  'email',
  'scheduledAt',
  'expiresAt',
  'schedule',
  'traceparent',
])
const ofSchedule = new Set(['delay', 'localTime', 'timezone', 'sendWindow'])
const ofSendWindow = new Set(['startTime', 'endTime', 'timezone', 'days'])

/**
 * What GraphQL's types do for a SendNotificationInput, for one that came another way: words become values, and a field that
 * there is not is a fault. `data` and `metadata` may be JSON in a text, as Avro's schema has them.
 */
export function coerceRequest(given: Record<string, unknown>): CoercedRequest {
  const faults: InputFault[] = []
  const onlyKnown = (value: unknown, known: ReadonlySet<string>, path: string[]) => {
    if (!isRecord(value)) return
    for (const name in value) {
      if (!known.has(name)) faults.push({ path: [...path, name.slice(0, 100)], message: 'is not a field' })
    }
  }
  const word = <Value>(value: unknown, known: ReadonlyMap<unknown, Value>, path: string[]): Value | undefined => {
    if (value === undefined || value === null) return undefined
    const found = known.get(typeof value === 'string' ? value.toUpperCase() : value)
    if (found === undefined) faults.push({ path, message: `must be among ${[...known.keys()].join(', ')}` })
    return found
  }
  const list = (name: string) => {
    const value = given[name]
    if (value === undefined || value === null) return undefined
    if (Array.isArray(value)) return value.map((item, index) => word(item ?? '', channelWords, [name, String(index)]))
    faults.push({ path: [name], message: 'must be a list' })
    return undefined
  }
  const recipientOf = (value: unknown, path: string[]): unknown => {
    onlyKnown(value, ofRecipient, path)
    return isRecord(value) ? { ...value, type: word(value.type, typeWords, [...path, 'type']) } : value
  }
  const object = (name: string): unknown => {
    const value = given[name]
    if (typeof value !== 'string') return value
    try {
      return JSON.parse(value)
    } catch {
      faults.push({ path: [name], message: 'must be a JSON object' })
      return undefined
    }
  }

  onlyKnown(given, ofRequest, [])
  onlyKnown(given.email, ofEmail, ['email'])
  if (isRecord(given.email) && Array.isArray(given.email.attachments)) {
    for (const [index, each] of given.email.attachments.entries()) {
      onlyKnown(each, ofAttachment, ['email', 'attachments', String(index)])
    }
  }
  onlyKnown(given.schedule, ofSchedule, ['schedule'])
  if (isRecord(given.schedule)) onlyKnown(given.schedule.sendWindow, ofSendWindow, ['schedule', 'sendWindow'])
  const recipients = given.recipients
  const input = {
    ...given,
    recipient: recipientOf(given.recipient, ['recipient']),
    recipients: Array.isArray(recipients)
      ? recipients.map((each, index) => recipientOf(each, ['recipients', String(index)]))
      : recipients,
    channels: list('channels'),
    fallbackChannels: list('fallbackChannels'),
    priority: word(given.priority, priorityWords, ['priority']),
    data: object('data'),
    metadata: object('metadata'),
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, input }
}
