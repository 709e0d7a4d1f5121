import { type Channel, channels } from './channel.ts'
import type { Recipient } from './recipient.ts'

/** What is asked of one recipient, with what the gates must know. */
export interface Request {
  channels?: readonly Channel[]
  fallbackChannels?: readonly Channel[]
  /** undefined: inline content; null: a template that is not there or switched off. */
  template?: { channels: readonly Channel[] } | null
  expiresAt?: Date
}

export interface GateSettings {
  /** Empty: every channel. */
  enabledChannels: readonly Channel[]
  defaultChannels: readonly Channel[]
}

/** `no_recipients`: of a role or group without a member. */
export type SuppressReason = 'channel_disabled' | 'no_address' | 'no_recipients'

export interface PlannedDelivery {
  channel: Channel
  state: 'queued' | 'held' | 'suppressed' | 'sent'
  address: string
  reason?: SuppressReason
  /** 0 for the channels asked for; from 1 in the order of the fallbacks. */
  fallbackRank: number
}

/** What the gates say of one recipient. With an outcome there is nothing to deliver. */
export type Verdict =
  | { outcome: 'expired'; reason: 'expired'; deliveries: [] }
  | { outcome: 'failed'; reason: 'template_not_found'; deliveries: [] }
  | { outcome: 'suppressed'; reason: SuppressReason; deliveries: PlannedDelivery[] }
  | { outcome?: undefined; reason?: undefined; deliveries: PlannedDelivery[] }

/**
 * The channels of a notification: those asked for; else those of the template that the recipient can be reached on;
 * else those of the addresses given; else the default.
 */
function chooseChannels(request: Request, recipient: Recipient, settings: GateSettings): readonly Channel[] {
  if (request.channels && request.channels.length > 0) return request.channels
  const reachable = (channel: Channel) => addressOf(channel, recipient) !== undefined
  const ofTemplate = request.template?.channels.filter(reachable) ?? []
  if (ofTemplate.length > 0) return ofTemplate
  if (request.template) return request.template.channels
  const ofAddresses = channels.filter((channel) => recipient.addresses[channel] !== undefined && channel !== 'voice')
  return ofAddresses.length > 0 ? ofAddresses : settings.defaultChannels
}

/** Where a channel reaches the recipient; '' for channels that need no address. */
function addressOf(channel: Channel, recipient: Recipient): string | undefined {
  if (channel === 'audit') return ''
  if (channel === 'in_app') return recipient.known ? '' : undefined
  return recipient.addresses[channel]
}

/** Runs the gates for one recipient. Pure: the same values give the same verdict, now, in explain and in dry-run. */
export function decide(request: Request, recipient: Recipient, settings: GateSettings, now: Date): Verdict {
  if (request.expiresAt && request.expiresAt <= now) return { outcome: 'expired', reason: 'expired', deliveries: [] }
  if (request.template === null) return { outcome: 'failed', reason: 'template_not_found', deliveries: [] }

  const enabled = (channel: Channel) =>
    settings.enabledChannels.length === 0 || settings.enabledChannels.includes(channel)
  const gate = (channel: Channel, fallbackRank: number): PlannedDelivery => {
    if (!enabled(channel)) {
      return { channel, state: 'suppressed', address: '', reason: 'channel_disabled', fallbackRank }
    }
    const address = addressOf(channel, recipient)
    if (address === undefined) return { channel, state: 'suppressed', address: '', reason: 'no_address', fallbackRank }
    if (channel === 'audit') return { channel, state: 'sent', address, fallbackRank }
    return { channel, state: fallbackRank === 0 ? 'queued' : 'held', address, fallbackRank }
  }

  const first = [...new Set(chooseChannels(request, recipient, settings))].map((channel) => gate(channel, 0))
  const fallbacks = [...new Set(request.fallbackChannels ?? [])]
    .filter((channel) => !first.some((delivery) => delivery.channel === channel))
    .map((channel, index) => gate(channel, index + 1))
    .filter((delivery) => delivery.state === 'held')

  // Where no channel asked for can be used, the first fallback is used at once. An audit line reaches nobody.
  const reaches = ({ channel, state }: PlannedDelivery) => channel !== 'audit' && state !== 'suppressed'
  if (!first.some(reaches) && fallbacks[0]) fallbacks[0].state = 'queued'
  const deliveries = [...first, ...fallbacks]
  if (deliveries.every((delivery) => delivery.state === 'suppressed')) {
    return { outcome: 'suppressed', reason: deliveries[0]?.reason ?? 'no_address', deliveries }
  }
  return { deliveries }
}
