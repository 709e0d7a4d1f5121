import type { Channel } from '../../domain/channel.ts'
import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome, FailureReason } from '../../domain/outcome.ts'
import { OperationalError } from '../../platform/errors.ts'
import type { EndpointSlots } from './endpoint-slots.ts'
import type { Slots } from './slots.ts'

/** The vendor behind a channel, as far as sending needs it. */
export interface Sender {
  readonly name: string
  send(message: Message, signal: AbortSignal): Promise<AttemptOutcome>
}

/** A delivery that is ready to go, or cannot go. */
export interface Sendable {
  message?: Message
  expired?: true
  expiresAt?: Date
  reason?: FailureReason
  detail?: string
  claim: { tenantId: string; channel: Channel }
}

/** What became of one claimed delivery. */
export type Result<S> = {
  item: S
  provider: string
  startedAt: Date
  completedAt: Date
} & ({ kind: 'tried'; outcome: AttemptOutcome } | { kind: 'expired' } | { kind: 'handed_back' })

export interface SendDeps {
  providers: ReadonlyMap<Channel, Sender>
  slots: (channel: Channel) => Slots
  /** Of webhooks. */
  endpointSlots?: EndpointSlots
  now: () => Date
  /** False: another worker may have taken the chunk over, and what was not sent yet is that one's to send. */
  isOurs?: () => boolean
  /** Aborted when the process stops: what has not been sent yet is handed back. */
  stopping: AbortSignal
  /** Aborted at the end of the patience of a stop: sends under way are cut off. */
  cutOff: AbortSignal
}

/**
 * Sends a chunk, each message once, and hands every result to `settle` as it comes. Resolves when all have one. Throws
 * CHUNK_LOST, in the end, where some have none, because the chunk may be another worker's by now: its job must not be completed.
 */
export async function sendAll<S extends Sendable>(
  items: readonly S[],
  deps: SendDeps,
  settle: (result: Result<S>) => void,
): Promise<void> {
  let left = 0
  await Promise.all(items.map((item) => sendOne(item, deps).then((result) => (result ? settle(result) : left++))))
  if (left > 0)
    throw new OperationalError('CHUNK_LOST', `${left} of ${items.length} were left to whoever has the job now`)
}

/** undefined: it is not ours any more, and stays as it is. */
async function sendOne<S extends Sendable>(item: S, deps: SendDeps): Promise<Result<S> | undefined> {
  const { channel } = item.claim
  const at = deps.now()
  const done = { item, provider: 'none', startedAt: at, completedAt: at }
  if (item.expired) return { ...done, kind: 'expired' }
  if (!item.message) {
    const { reason = 'render_failed', detail = '' } = item
    return { ...done, kind: 'tried', outcome: { kind: 'rejected', reason, retryable: false, detail } }
  }
  // The inbox is a table of ours: settling writes it, and there is nothing to send.
  if (channel === 'in_app') return { ...done, provider: 'inbox', kind: 'tried', outcome: { kind: 'accepted' } }
  const provider = deps.providers.get(channel)
  if (!provider) {
    const detail = `no provider is configured for ${channel}`
    return { ...done, kind: 'tried', outcome: { kind: 'rejected', reason: 'misconfigured', retryable: false, detail } }
  }
  const { tenantId } = item.claim
  const endpoints = channel === 'webhook' ? deps.endpointSlots : undefined
  const call = await endpoints?.take(tenantId, item.message.address)
  if (endpoints && !call) {
    if (deps.stopping.aborted) return { ...done, kind: 'handed_back' }
    return { ...done, provider: provider.name, kind: 'tried', outcome: leftAlone }
  }
  const release = await deps.slots(channel).take(tenantId)
  let made: { ms: number; succeeded: boolean } | undefined
  try {
    const startedAt = deps.now()
    // Handed back it would get a second job, and the first, when it comes again, would take it from that one's worker.
    if (deps.isOurs?.() === false) return undefined
    if (deps.stopping.aborted) return { ...done, kind: 'handed_back' }
    if (item.expiresAt && item.expiresAt <= startedAt) return { ...done, kind: 'expired' } // while it waited for a slot
    const outcome = await provider.send(item.message, deps.cutOff)
    const completedAt = deps.now()
    made = { ms: completedAt.getTime() - startedAt.getTime(), succeeded: outcome.kind === 'accepted' }
    return { item, provider: provider.name, startedAt, completedAt, kind: 'tried', outcome }
  } catch (error) {
    // A provider throws only for a bug of its own; the delivery still gets its attempt, and the fault its name.
    const detail = `the provider failed: ${error instanceof Error ? error.name : 'Error'}`
    const outcome: AttemptOutcome = { kind: 'unknown', reason: 'transient', detail }
    return { item, provider: provider.name, startedAt: at, completedAt: deps.now(), kind: 'tried', outcome }
  } finally {
    release()
    call?.end(made)
  }
}

const leftAlone: AttemptOutcome = {
  kind: 'rejected',
  reason: 'transient',
  retryable: true,
  detail: 'not sent: the endpoint did not answer several calls in a row, and is left alone for a while',
}
