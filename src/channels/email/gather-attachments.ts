import type { Dispatcher } from 'undici'
import type { Attachment, Message } from '../../domain/message.ts'
import type { MailAttachment, Rejection } from '../compose-mail.ts'
import { type Exchange, exchange } from '../http-exchange.ts'

export interface AttachmentLimits {
  /** Hosts that attachments may be fetched from by https; exact, in lower case. Empty: none may. */
  allowedHosts: readonly string[]
  /** For all attachments of one message together, decoded. */
  maxBytes: number
}

export type GatheredAttachments =
  | { kind: 'gathered'; files: MailAttachment[] }
  | { kind: 'refused'; outcome: Rejection }

/**
 * Brings together the bytes of a message's attachments, decoding those it carries and fetching those it names, one
 * after the other within `timeoutMs` for all. The first that cannot be had refuses the message: a mail that promises an
 * invoice must not arrive without it.
 */
export async function gatherAttachments(
  message: Message,
  agent: Dispatcher,
  limits: AttachmentLimits & { timeoutMs: number },
  signal: AbortSignal,
): Promise<GatheredAttachments> {
  const until = performance.now() + limits.timeoutMs
  const files: MailAttachment[] = []
  let room = limits.maxBytes
  for (const attachment of message.email?.attachments ?? []) {
    const content =
      attachment.contentBase64 === undefined
        ? await fetchContent(attachment, agent, limits.allowedHosts, room, until - performance.now(), signal)
        : decodeContent(attachment.contentBase64)
    if (!Buffer.isBuffer(content)) return { kind: 'refused', outcome: content }
    room -= content.length
    if (room < 0) return { kind: 'refused', outcome: refuse('the attachments are too large') }
    const { filename, contentType, contentId } = attachment
    files.push({ filename, contentType, contentId, content })
  }
  return { kind: 'gathered', files }
}

function decodeContent(base64: string): Buffer | Rejection {
  return /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(base64)
    ? Buffer.from(base64, 'base64')
    : refuse('an attachment is not base64')
}

async function fetchContent(
  attachment: Attachment,
  agent: Dispatcher,
  allowedHosts: readonly string[],
  maxBodyBytes: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Buffer | Rejection> {
  const url = attachment.url === undefined ? null : URL.parse(attachment.url)
  if (!url) return refuse('an attachment has neither content nor a URL')
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || !allowedHosts.includes(url.hostname)) {
    return refuse('an attachment is not at an allowed https host')
  }
  if (timeoutMs <= 0) return delay('no time was left for an attachment')
  const headers = { accept: '*/*', 'user-agent': 'Carillon-Attachments' }
  const result = await exchange(agent, { url, method: 'GET', headers, timeoutMs, maxBodyBytes, signal })
  return readContent(result)
}

function readContent(result: Exchange): Buffer | Rejection {
  if (result.kind === 'failed') {
    return result.fault === 'address_refused'
      ? refuse('an attachment is not at a public address')
      : delay(`an attachment could not be fetched (${result.code})`)
  }
  const { status, body, bodyEnd } = result
  if (status >= 500 || status === 408 || status === 429) return delay(`an attachment could not be fetched (${status})`)
  if (status !== 200) return refuse(`an attachment could not be fetched (${status})`)
  if (bodyEnd === 'too_large') return refuse('the attachments are too large')
  return bodyEnd === 'whole' ? body : delay('an attachment broke off')
}

function refuse(detail: string): Rejection {
  return { kind: 'rejected', reason: 'content_refused', retryable: false, detail }
}

function delay(detail: string): Rejection {
  return { kind: 'rejected', reason: 'transient', retryable: true, detail }
}
