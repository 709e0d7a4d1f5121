import { createHash } from 'node:crypto'
import type { Channel } from './channel.ts'
import type { RecipientRef } from './intent.ts'
import { endpointAddress, endpointIdOf } from './status-webhook.ts'

/** A recipient as the gates see it: who, and the first usable address on each channel. */
export interface Recipient {
  type: RecipientRef['type']
  id: string
  /** Whether the request or our records name this person; an address alone is nobody with an inbox. */
  known: boolean
  name?: string
  locale?: string
  timezone?: string
  addresses: Partial<Record<Channel, string>>
}

const fieldOf: [Channel, keyof RecipientRef][] = [
  ['email', 'email'],
  ['sms', 'phone'],
  ['voice', 'phone'],
  ['slack', 'slackId'],
  ['telegram', 'telegramId'],
  ['discord', 'discordId'],
  ['webhook', 'webhookUrl'],
  ['pagerduty', 'pagerdutyKey'],
]

/** The addresses that a request itself gives, by channel. */
export function inlineAddresses(ref: RecipientRef): Partial<Record<Channel, string>> {
  const addresses: Partial<Record<Channel, string>> = {}
  for (const [channel, field] of fieldOf) {
    const value = ref[field]
    if (value) addresses[channel] = value
  }
  if (ref.webhookEndpointId) addresses.webhook = endpointAddress(ref.webhookEndpointId)
  return addresses
}

/** The same with an address on a channel; a webhook's may be the name of an endpoint. Channels of records alone stay as they are. */
export function refWith(ref: RecipientRef, channel: Channel, address: string): RecipientRef {
  const endpointId = channel === 'webhook' ? endpointIdOf(address) : undefined
  if (endpointId) return { ...ref, webhookEndpointId: endpointId }
  const field = fieldOf.find(([of]) => of === channel)?.[1]
  return field ? { ...ref, [field]: address } : ref
}

/**
 * The recipient's id: the one the request names, else one made from the first address. It is a hash, so that the
 * address itself reaches no log, event or metric, and the same address is the same recipient each time.
 */
export function recipientIdOf(tenantId: string, ref: RecipientRef): string {
  if (ref.id) return ref.id
  const address = fieldOf.map(([, field]) => ref[field]).find((value) => value !== undefined && value !== '')
  const hash = createHash('sha256').update(`${tenantId}:${address?.toLowerCase()}`).digest('hex')
  return `address:${hash.slice(0, 24)}`
}
