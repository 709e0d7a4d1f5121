import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { ChannelSettings } from './registry.ts'

/** The capture mailbox is for development alone. */
export function captureSettings(config: Config): { directory: string } | undefined {
  return config.NODE_ENV === 'production' ? undefined : { directory: join(config.CARILLON_DATA_DIR, 'mailbox') }
}

/** A developer's own receiver is on this machine; other private addresses stay refused. */
const loopback = ['localhost', '127.0.0.1', '::1']

/** The configuration as the channels read it. */
export function channelSettings(config: Config): ChannelSettings {
  const development = config.NODE_ENV !== 'production'
  const capture = captureSettings(config)
  return {
    smtp: config.SMTP_URL
      ? {
          url: config.SMTP_URL,
          from: config.SMTP_FROM,
          timeoutMs: config.SMTP_TIMEOUT,
          maxConnections: config.SMTP_CONNECTIONS,
          attachments: { allowedHosts: config.ATTACHMENT_HOSTS, maxBytes: config.ATTACHMENT_MAX_BYTES },
        }
      : undefined,
    webhook: {
      timeoutMs: config.WEBHOOK_TIMEOUT,
      allowHttp: config.WEBHOOK_ALLOW_HTTP || development,
      allowPrivateAddresses: config.WEBHOOK_ALLOW_PRIVATE,
      allowedHosts: development ? [...config.WEBHOOK_ALLOWED_HOSTS, ...loopback] : config.WEBHOOK_ALLOWED_HOSTS,
    },
    capture: capture && { ...capture, from: config.SMTP_FROM },
  }
}
