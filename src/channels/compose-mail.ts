import type { SendMailOptions } from 'nodemailer'
import MailComposer from 'nodemailer/lib/mail-composer'
import type { Message } from '../domain/message.ts'
import type { AttemptOutcome } from '../domain/outcome.ts'
import { breaksLines, type Mailbox, parseMailbox } from './mail-address.ts'

/** An attachment whose bytes are in hand, wherever they came from. */
export interface MailAttachment {
  filename: string
  contentType?: string
  contentId?: string
  content: Buffer
}

export interface MailSurroundings {
  from: Mailbox
  date: Date
  attachments: readonly MailAttachment[]
  /** Further headers; they may not replace the ones set here. */
  headers?: Readonly<Record<string, string>>
}

export type Rejection = Extract<AttemptOutcome, { kind: 'rejected' }>

/** `recipient` is the envelope's form of the message's own address, beside which there may be copies. */
export type ComposedMail =
  | { kind: 'composed'; mail: SendMailOptions; recipient: string }
  | { kind: 'refused'; outcome: Rejection }

/**
 * Makes of a message what nodemailer sends, and what `renderMail` turns into text. A line break or NUL in anything that
 * goes into a header or the envelope refuses the message. A bad copy or reply-to is the content's fault and not the
 * recipient's, whose address must not be taken for invalid because of it.
 */
export function composeMail(message: Message, around: MailSurroundings): ComposedMail {
  const to = parseMailbox(message.address)
  if (!to) return refused('invalid_recipient', 'the address is no e-mail address')

  const { cc = [], bcc = [], replyTo } = message.email ?? {}
  const copies = { cc: cc.map(parseMailbox), bcc: bcc.map(parseMailbox) }
  if (!areAllRead(copies.cc) || !areAllRead(copies.bcc)) {
    return refused('content_refused', 'a copy is to no e-mail address')
  }
  const reply = replyTo === undefined ? undefined : parseMailbox(replyTo)
  if (replyTo !== undefined && !reply) return refused('content_refused', 'the reply-to is no e-mail address')

  const name = message.recipientName ?? to.name
  const headers = {
    ...around.headers,
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'OOF, AutoReply',
    'X-Carillon-Delivery': message.deliveryId,
    ...(message.traceparent === undefined ? {} : { Traceparent: message.traceparent }),
    ...(message.unsubscribeUrl === undefined ? {} : oneClick(message.unsubscribeUrl)),
  }
  const intoHeaders = [
    message.subject ?? '',
    name,
    ...Object.entries(headers).flat(),
    ...around.attachments.flatMap((file) => [file.filename, file.contentType ?? '', file.contentId ?? '']),
  ]
  if (intoHeaders.some(breaksLines)) return refused('content_refused', 'a header would hold a line break or a NUL')

  const domain = around.from.address.slice(around.from.address.lastIndexOf('@') + 1)
  const envelopeTo = new Set([to, ...copies.cc, ...copies.bcc].map(({ address }) => address))
  return {
    kind: 'composed',
    recipient: to.address,
    mail: {
      from: around.from,
      to: { name, address: to.address },
      ...(copies.cc.length > 0 ? { cc: copies.cc } : {}),
      ...(reply ? { replyTo: reply } : {}),
      // The envelope is given and not derived, so that bcc never comes near a header.
      envelope: { from: around.from.address, to: [...envelopeTo] },
      messageId: `<${message.deliveryId}@${domain}>`,
      date: around.date,
      subject: message.subject ?? '',
      headers,
      ...(message.body !== undefined || message.bodyHtml === undefined ? { text: message.body ?? '' } : {}),
      ...(message.bodyHtml === undefined ? {} : { html: message.bodyHtml }),
      attachments: around.attachments.map(({ filename, contentType, contentId, content }) => ({
        filename,
        content,
        ...(contentType === undefined ? {} : { contentType }),
        ...(contentId === undefined ? {} : { cid: contentId }),
      })),
      xMailer: false,
      // Content comes from tenants: a path or URL in it is text and never something to read.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
  }
}

/** RFC 8058: mail programs show a button of their own, which posts to the URL; by https alone, so not on a developer's machine. */
function oneClick(url: string): Record<string, string> {
  const link = { 'List-Unsubscribe': `<${url}>` }
  return url.startsWith('https://') ? { ...link, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : link
}

/** The whole message as it would go over the wire; for the capture mailbox. */
export function renderMail(mail: SendMailOptions): Promise<Buffer> {
  return new MailComposer(mail).compile().build()
}

function areAllRead(mailboxes: (Mailbox | undefined)[]): mailboxes is Mailbox[] {
  return mailboxes.every((mailbox) => mailbox !== undefined)
}

function refused(reason: Rejection['reason'], detail: string): ComposedMail {
  return { kind: 'refused', outcome: { kind: 'rejected', reason, retryable: false, detail } }
}
