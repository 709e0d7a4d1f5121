import type { NodemailerError } from 'nodemailer'
import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome, FailureReason } from '../../domain/outcome.ts'
import { scrub } from '../scrub.ts'

type Verdict = [reason: FailureReason, retryable: boolean]

/** The part of the session that the server answered; `session` is all before MAIL FROM. */
type Stage = 'session' | 'auth' | 'sender' | 'recipient' | 'content'

interface ReplyRule {
  stage?: Stage
  code?: RegExp
  /** The enhanced status of RFC 3463, as `5.1.1`. */
  status?: RegExp
  verdict: Verdict
}

/** First match wins. The enhanced status says more than the code, and the stage decides whose fault a code is. */
const replyRules: ReplyRule[] = [
  { code: /^4/, status: /^4\.7\./, verdict: ['throttled', true] },
  { code: /^4/, verdict: ['transient', true] },
  { code: /^(503|[23])/, verdict: ['transient', true] }, // a session out of step, not a refusal
  // Hammering a server with a password it refuses locks the account, so these wait for a person.
  { stage: 'auth', verdict: ['misconfigured', false] },
  { code: /^(530|534|535|538)/, verdict: ['misconfigured', false] },
  { stage: 'session', verdict: ['misconfigured', false] }, // 554 in the greeting: our address is not welcome
  { stage: 'sender', status: /^5\.(2|3)\.[34]/, verdict: ['content_refused', false] }, // SIZE said too large
  { stage: 'sender', code: /^552/, verdict: ['content_refused', false] },
  { stage: 'sender', verdict: ['misconfigured', false] },
  { status: /^5\.1\.[78]/, verdict: ['misconfigured', false] }, // bad sender, told late
  { status: /^5\.7\.(8|9|1[0-4]|2[0-7])$/, verdict: ['misconfigured', false] }, // our credentials, SPF, DKIM, DMARC, reverse DNS
  { status: /^5\.1\./, verdict: ['invalid_recipient', false] },
  { status: /^5\.2\.1/, verdict: ['invalid_recipient', false] }, // mailbox disabled
  { status: /^5\.2\.2/, verdict: ['permanent', false] }, // mailbox full: the address is right
  { status: /^5\.(2\.3|3\.4|6\.\d+)/, verdict: ['content_refused', false] },
  { stage: 'recipient', status: /^5\.[3-7]\./, verdict: ['permanent', false] }, // relaying denied and the like
  { stage: 'recipient', code: /^55[0-3]/, verdict: ['invalid_recipient', false] },
  { stage: 'content', code: /^55[0-4]/, verdict: ['content_refused', false] },
  { verdict: ['permanent', false] },
]

/** For errors without a reply, before the message was sent. */
const connectionRules: Record<string, Verdict> = {
  ECONNECTION: ['transient', true],
  ESOCKET: ['transient', true],
  ETIMEDOUT: ['transient', true],
  EDNS: ['transient', true],
  ETLS: ['transient', true],
  EPROTOCOL: ['transient', true],
  ESTREAM: ['transient', true],
  EPROXY: ['transient', true],
  EOAUTH2: ['misconfigured', true],
  EAUTH: ['misconfigured', false],
  ENOAUTH: ['misconfigured', false],
  ECONFIG: ['misconfigured', false],
  EREQUIRETLS: ['misconfigured', false],
  EENVELOPE: ['invalid_recipient', false],
  EMESSAGE: ['content_refused', false],
}

/** With a password in the URL we do not go on in the clear. */
const noStartTls = 'the server does not do STARTTLS; use smtps://, or ?requireTLS=false on SMTP_URL to do without'

export interface SmtpFailure {
  error: NodemailerError
  /** Every byte of the message and the final dot were handed to the socket. */
  wasDataSent: boolean
  /** Our own deadline or the caller's signal ended it. */
  stoppedBy?: 'timeout' | 'stopped'
}

/**
 * What a failed send means. A reply is a clear word, whenever it comes; without one, a message that had left may have
 * been taken. Rethrows what is not nodemailer's: that is a bug.
 */
export function smtpFailureOutcome({ error, wasDataSent, stoppedBy }: SmtpFailure, message: Message): AttemptOutcome {
  if (error.command === 'STARTTLS')
    return { kind: 'rejected', reason: 'misconfigured', retryable: true, detail: noStartTls }
  if (error.responseCode !== undefined) return smtpReplyOutcome(error, message)

  const code = stoppedBy ?? error.originalCode ?? error.code
  if (code === undefined) throw error
  if (wasDataSent) {
    const isTimeout = stoppedBy === 'timeout' || error.code === 'ETIMEDOUT'
    return { kind: 'unknown', reason: isTimeout ? 'timeout' : 'transient', detail: `sent, and no reply (${code})` }
  }
  if (stoppedBy) return { kind: 'rejected', reason: 'transient', retryable: true, detail: `not sent (${code})` }
  const verdict = connectionRules[error.code ?? '']
  if (!verdict) throw error
  return { kind: 'rejected', reason: verdict[0], retryable: verdict[1], detail: `not sent (${code})` }
}

/** What one negative reply means; also for a recipient refused among others that were taken. */
export function smtpReplyOutcome(
  error: NodemailerError,
  message: Message,
): Extract<AttemptOutcome, { kind: 'rejected' }> {
  const response = error.response ?? ''
  const code = String(error.responseCode)
  const status = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1] ?? ''
  const stage = stageOf(error.command ?? '')
  const rule = replyRules.find(
    (rule) =>
      (rule.stage === undefined || rule.stage === stage) &&
      (rule.code?.test(code) ?? true) &&
      (rule.status?.test(status) ?? true),
  )!
  const words = response.replaceAll(/^\d{3}[ -](?:[245]\.\d{1,3}\.\d{1,3}\s*)?/gm, '')
  const said = scrub(words, message)
  const detail = `SMTP ${code}${status === '' ? '' : ` ${status}`}${said === '' ? '' : `: ${said}`}`.slice(0, 200)
  return { kind: 'rejected', reason: rule.verdict[0], retryable: rule.verdict[1], detail }
}

function stageOf(command: string): Stage {
  if (command.startsWith('AUTH')) return 'auth'
  if (command === 'MAIL FROM') return 'sender'
  if (command === 'RCPT TO') return 'recipient'
  if (command === 'DATA') return 'content'
  return 'session'
}
