import { createTransport, type NodemailerError, type SendMailOptions, type SMTPPoolSentMessageInfo } from 'nodemailer'
import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome } from '../../domain/outcome.ts'
import type { Clock } from '../../platform/clock.ts'
import { type AddressGuardOptions, createAddressGuard } from '../address-guard.ts'
import { type ComposedMail, composeMail } from '../compose-mail.ts'
import { createGuardedAgent } from '../http-exchange.ts'
import { parseMailbox } from '../mail-address.ts'
import type { Provider } from '../port.ts'
import { type AttachmentLimits, gatherAttachments } from './gather-attachments.ts'
import { smtpFailureOutcome } from './smtp-errors.ts'

export interface SmtpSettings {
  /** `smtp://user:pass@host:587` or `smtps://…:465`; with a password, STARTTLS is demanded unless `?requireTLS=false`. */
  url: string
  /** The sender, `Name <local@domain>`; its domain ends every Message-ID. */
  from: string
  /** For one try, from the call to the reply, attachments included. Default 30 s. */
  timeoutMs?: number
  /** Connections to the server; further messages wait their turn within their own timeout. Default 5. */
  maxConnections?: number
  attachments?: AttachmentLimits &
    Pick<AddressGuardOptions, 'allowPrivateAddresses' | 'resolve'> & {
      /** Extra trusted certificate authorities for the fetching, PEM. Default none. */
      ca?: string
    }
  /** Where further headers of a message come in, `List-Unsubscribe` above all. Default none. */
  extraHeaders?: (message: Message) => Record<string, string>
}

const noAttachments = { allowedHosts: [], maxBytes: 10 * 1024 * 1024 }

/** E-mail over a pool of SMTP connections. One per process. Throws when `from` is no address. */
export function createSmtpProvider(settings: SmtpSettings, clock: Clock): Provider {
  const sender = parseMailbox(settings.from)
  if (!sender) throw new Error('the SMTP sender is no e-mail address')
  const from = sender
  const timeoutMs = settings.timeoutMs ?? 30_000
  const limits = settings.attachments ?? noAttachments
  const agent = createGuardedAgent({
    guard: createAddressGuard({ ...settings.attachments, allowedHosts: [] }),
    connections: 4,
    connectTimeoutMs: timeoutMs,
    ca: settings.attachments?.ca,
  })
  const transport = createTransport({
    pool: true,
    url: settings.url,
    maxConnections: settings.maxConnections ?? 5,
    // A pooled connection that the server had closed meanwhile is replaced once. Nothing was sent on it, so this is no
    // second attempt; without it every idle hour would cost some delivery a failed one.
    maxRequeues: 1,
    requireTLS: URL.parse(settings.url)?.password !== '',
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
  })

  // nodemailer's errors do not tell whether the message had left. The stream it reads the message from does: it ends
  // when the last byte was taken, which is just before the final dot is written.
  const sent = new WeakSet<AbortSignal>()
  transport.use('stream', (mail, done) => {
    const { signal } = mail.data
    const createReadStream = mail.message.createReadStream.bind(mail.message)
    mail.message.createReadStream = (options) => {
      const stream = createReadStream(options)
      if (signal) stream.once('end', () => sent.add(signal))
      return stream
    }
    done()
  })

  async function send(message: Message, signal: AbortSignal): Promise<AttemptOutcome> {
    const stop = new AbortController()
    let stoppedBy: 'timeout' | 'stopped' | undefined
    const end = (by: 'timeout' | 'stopped') => {
      stoppedBy ??= by
      stop.abort()
    }
    const deadline = setTimeout(end, timeoutMs, 'timeout')
    const onAbort = () => end('stopped')
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const composed = await compose(message, stop.signal)
      if (composed.kind === 'refused') return composed.outcome
      try {
        const { to, copies } = envelopesOf(composed)
        const info = await transport.sendMail({ ...composed.mail, envelope: to, signal: stop.signal })
        return sentOutcome(
          info,
          copies && (await sendCopies({ ...composed.mail, envelope: copies, signal: stop.signal })),
        )
      } catch (error) {
        const failure = { error: ownError(error, composed.recipient), wasDataSent: sent.has(stop.signal), stoppedBy }
        return smtpFailureOutcome(failure, message)
      }
    } finally {
      clearTimeout(deadline)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** How many copies were not taken. They are not worth another try: the message itself has arrived. */
  async function sendCopies(mail: SendMailOptions & { envelope: { to: string[] } }): Promise<number> {
    try {
      const info = await transport.sendMail(mail)
      return info.rejected.length
    } catch {
      return mail.envelope.to.length
    }
  }

  async function compose(message: Message, signal: AbortSignal): Promise<ComposedMail> {
    const gathered = await gatherAttachments(message, agent, { ...limits, timeoutMs }, signal)
    if (gathered.kind === 'refused') return gathered
    const headers = settings.extraHeaders?.(message)
    return composeMail(message, { from, date: clock.now(), attachments: gathered.files, headers })
  }

  async function close(): Promise<void> {
    transport.close()
    await agent.destroy()
  }

  return { channel: 'email', name: 'smtp', send, close }
}

/** The recipient goes first and alone: copies go out once the message itself was taken, and never for a refused one. */
function envelopesOf({ mail, recipient }: Extract<ComposedMail, { kind: 'composed' }>) {
  const from = mail.envelope?.from
  const copies = [mail.envelope?.to ?? []]
    .flat()
    .filter((address): address is string => typeof address === 'string' && address !== recipient)
  return { to: { from, to: [recipient] }, copies: copies.length > 0 ? { from, to: copies } : undefined }
}

function sentOutcome(info: SMTPPoolSentMessageInfo, refusedCopies = 0): AttemptOutcome {
  return {
    kind: 'accepted',
    providerMessageId: info.serverMessageId ?? info.messageId,
    ...(refusedCopies > 0 ? { detail: `${refusedCopies} of the copies refused` } : {}),
  }
}

/** When every recipient was refused, the reply to ours and not the one to the last copy. */
function ownError(error: unknown, recipient: string): NodemailerError {
  if (!(error instanceof Error)) throw error
  const refused = error as NodemailerError
  return refused.rejectedErrors?.find((inner) => inner.recipient === recipient) ?? refused
}
