import type { Channel } from '../domain/channel.ts'
import type { Clock } from '../platform/clock.ts'
import { type CaptureSettings, createCaptureMailbox } from './capture/capture-mailbox.ts'
import { createCaptureProvider } from './capture/capture-provider.ts'
import { createSmtpProvider, type SmtpSettings } from './email/smtp-provider.ts'
import { parseMailbox } from './mail-address.ts'
import type { Provider } from './port.ts'
import { createSinkProvider } from './sink/sink-provider.ts'
import { createWebhookProvider, type WebhookSettings } from './webhook/webhook-provider.ts'

export interface ChannelSettings {
  /** Without it e-mail is captured, or has no provider. */
  smtp?: SmtpSettings
  webhook: WebhookSettings
  /** Development only: the mailbox for every channel without a provider of its own. */
  capture?: CaptureSettings & { from?: string }
  /** The bench only: every channel accepts in-process, and nothing leaves. Default false. */
  sink?: boolean
}

/** The channels that need a provider; in_app and audit are recorded in the database by the pipeline. */
const sendingChannels = [
  'email',
  'sms',
  'voice',
  'push',
  'browser_push',
  'slack',
  'telegram',
  'discord',
  'webhook',
  'pagerduty',
] as const satisfies Channel[]

/**
 * The providers of this process, one per channel. A channel that is missing has none, and the pipeline settles its
 * deliveries as misconfigured. Call it once at start, and `closeProviders` after the last send.
 */
export function createProviders(settings: ChannelSettings, clock: Clock): Map<Channel, Provider> {
  const { smtp, webhook, capture, sink } = settings
  if (sink) return mapOf(sendingChannels.map((channel) => createSinkProvider({ channel })))

  const providers = [createWebhookProvider(webhook, clock)]
  if (smtp) providers.push(createSmtpProvider(smtp, clock))
  if (capture) {
    const from = capture.from === undefined ? undefined : parseMailbox(capture.from)
    const mailbox = createCaptureMailbox({ ...capture, clock })
    const provided = new Set(providers.map(({ channel }) => channel))
    for (const channel of sendingChannels) {
      if (!provided.has(channel)) providers.push(createCaptureProvider(channel, mailbox, clock, from))
    }
  }
  return mapOf(providers)
}

/** Closes every pooled connection; rejects with the first failure after all were closed. */
export async function closeProviders(providers: ReadonlyMap<Channel, Provider>): Promise<void> {
  const results = await Promise.allSettled([...new Set(providers.values())].map((provider) => provider.close()))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure) throw failure.reason
}

function mapOf(providers: Provider[]): Map<Channel, Provider> {
  return new Map(providers.map((provider) => [provider.channel, provider]))
}
