import type { Channel } from '../../domain/channel.ts'
import type { Attachment, Message } from '../../domain/message.ts'
import type { AttemptOutcome } from '../../domain/outcome.ts'
import type { Clock } from '../../platform/clock.ts'
import { systemClock } from '../../platform/clock.ts'
import { composeMail, type MailAttachment, renderMail } from '../compose-mail.ts'
import type { Mailbox } from '../mail-address.ts'
import type { Provider } from '../port.ts'
import type { CaptureMailbox } from './capture-mailbox.ts'

const someone: Mailbox = { name: 'Carillon', address: 'carillon@localhost' }

/**
 * Stands in, while developing, for a channel that has no provider: what would have been sent is kept in the mailbox.
 * E-mail is composed as for SMTP, so what SMTP would refuse is refused here too.
 */
export function createCaptureProvider(
  channel: Channel,
  mailbox: CaptureMailbox,
  clock: Clock = systemClock,
  from: Mailbox = someone,
): Provider {
  async function send(message: Message): Promise<AttemptOutcome> {
    if (channel !== 'email') return keep(mailbox, message)
    const attachments = (message.email?.attachments ?? []).map(attachmentAtHand)
    const composed = composeMail(message, { from, date: clock.now(), attachments })
    if (composed.kind === 'refused') return composed.outcome
    const eml = await renderMail(composed.mail)
    return keep(mailbox, message, eml.toString('utf8'))
  }

  return { channel, name: 'capture', send, close: async () => {} }
}

/** A full or forbidden disk is to this provider what a vendor's outage is to others. */
async function keep(mailbox: CaptureMailbox, message: Message, eml?: string): Promise<AttemptOutcome> {
  try {
    return { kind: 'accepted', providerMessageId: await mailbox.add(message, eml) }
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
    return { kind: 'rejected', reason: 'transient', retryable: true, detail: `not captured (${error.code})` }
  }
}

/** Capturing uses no network: a file given by URL is replaced by its URL. */
function attachmentAtHand({ filename, contentType, contentId, contentBase64, url }: Attachment): MailAttachment {
  return contentBase64 === undefined
    ? { filename: `${filename}.url.txt`, contentType: 'text/plain', content: Buffer.from(`${url ?? ''}\n`) }
    : { filename, contentType, contentId, content: Buffer.from(contentBase64, 'base64') }
}
