import type { Channel } from './channel.ts'

/** A file that goes with a message: its bytes as base64, or an https URL from the allow-list. */
export interface Attachment {
  filename: string
  contentType?: string
  contentBase64?: string
  url?: string
  /** Makes the file an inline image, shown where the HTML says `cid:…`. */
  contentId?: string
}

/** What rendering makes of a delivery, and all that a provider sees of it. */
export interface Message {
  /** Stable over retries: the provider's idempotency key, `webhook-id`, and the local part of `Message-ID`. */
  deliveryId: string
  notificationId: string
  tenantId: string
  channel: Channel
  /** 1 for the first try. */
  attempt: number
  /** The event type, e.g. `commerce.order.shipped`. */
  type: string
  /** E-mail address, URL, chat id …; empty for channels without one (in_app, audit). */
  address: string
  recipientId: string
  recipientName?: string
  subject?: string
  /** Plain text, or the channel's own markup. */
  body?: string
  bodyHtml?: string
  data: Record<string, unknown>
  metadata: Record<string, unknown>
  email?: { cc?: string[]; bcc?: string[]; replyTo?: string; attachments?: Attachment[] }
  /** Where the recipient unsubscribes from the category, in one click (RFC 8058). */
  unsubscribeUrl?: string
  /**
   * The endpoint and its live `whsec_` secrets: every one of them signs, so that a rotation needs no moment of its own.
   * `statusEvent`: the message is that event, and `data` all that it says.
   */
  webhook?: { endpointId: string; secrets: string[]; statusEvent?: { id: string; at: string } }
  /** W3C trace context, passed on to the provider. */
  traceparent?: string
  /** ISO 8601, when the notification was accepted. */
  createdAt: string
}
