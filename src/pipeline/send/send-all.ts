import type { Channel } from '../../domain/channel.ts'
import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome, FailureReason } from '../../domain/outcome.ts'

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

/** Lets at most `limit` tasks run at once; of the others the tenants take turns, each in its own order. */
export interface Slots {
  take(tenantId: string): Promise<() => void>
}

export function createSlots(limit: number): Slots {
  let free = limit
  const waiting = new Map<string, (() => void)[]>()
  const release = () => {
    const [turn] = waiting
    if (!turn) {
      free++
      return
    }
    const [tenantId, line] = turn
    const next = line.shift()!
    waiting.delete(tenantId)
    if (line.length > 0) waiting.set(tenantId, line)
    next()
  }
  return {
    take: (tenantId) =>
      new Promise((resolve) => {
        const grant = () => resolve(release)
        if (free > 0) {
          free--
          grant()
        } else {
          const line = waiting.get(tenantId)
          if (line) line.push(grant)
          else waiting.set(tenantId, [grant])
        }
      }),
  }
}

export interface SendDeps {
  providers: ReadonlyMap<Channel, Sender>
  slots: (channel: Channel) => Slots
  now: () => Date
  /** False: another worker may have taken the chunk over, and what was not sent yet is that one's to send. */
  isOurs?: () => boolean
  /** Aborted when the process stops: what has not been sent yet is handed back. */
  stopping: AbortSignal
  /** Aborted at the end of the patience of a stop: sends under way are cut off. */
  cutOff: AbortSignal
}

/** Sends a chunk, each message once, and hands every result to `settle` as it comes. Resolves when all have one. */
export async function sendAll<S extends Sendable>(
  items: readonly S[],
  deps: SendDeps,
  settle: (result: Result<S>) => void,
): Promise<void> {
  await Promise.all(items.map((item) => sendOne(item, deps).then(settle)))
}

async function sendOne<S extends Sendable>(item: S, deps: SendDeps): Promise<Result<S>> {
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
  const release = await deps.slots(channel).take(item.claim.tenantId)
  try {
    const startedAt = deps.now()
    // Where another worker has taken it over already, handing it back changes nothing.
    if (deps.stopping.aborted || deps.isOurs?.() === false) return { ...done, kind: 'handed_back' }
    if (item.expiresAt && item.expiresAt <= startedAt) return { ...done, kind: 'expired' } // while it waited for a slot
    const outcome = await provider.send(item.message, deps.cutOff)
    return { item, provider: provider.name, startedAt, completedAt: deps.now(), kind: 'tried', outcome }
  } catch (error) {
    // A provider throws only for a bug of its own; the delivery still gets its attempt, and the fault its name.
    const detail = `the provider failed: ${error instanceof Error ? error.name : 'Error'}`
    const outcome: AttemptOutcome = { kind: 'unknown', reason: 'transient', detail }
    return { item, provider: provider.name, startedAt: at, completedAt: deps.now(), kind: 'tried', outcome }
  } finally {
    release()
  }
}
