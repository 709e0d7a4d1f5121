import type pg from 'pg'
import type { EventData } from '../domain/event-types.ts'
import { notificationId } from '../domain/ids.ts'
import { laneOf } from '../domain/priority.ts'
import { acceptIntents } from '../pipeline/accept/accept-intents.ts'
import { inTransaction, isPassingFault, type Queryable } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Logger } from '../platform/logger.ts'
import { statusEventsTopic } from '../platform/wake.ts'
import { intentsQueue } from '../queue/queues.ts'
import {
  type DueDigest,
  type FinishedDigests,
  finishDigests,
  type TakenMember,
  takeDueDigests,
  takeMembers,
} from '../store/closing-digests.ts'
import { postponeDigests } from '../store/digests.ts'
import { type Dropped, type SettledDigest, settleDigest, settleGroup } from './settle-digests.ts'

/** A notification that waits in a digest which is closed now. */
export interface WaitingMember extends Omit<TakenMember, 'notificationIds'> {
  notificationId: string
  recipientId: string
  digest: DueDigest
}

/**
 * What the gates say now of the members of one tenant: those that may not go out. That they would wait (quiet hours, a window,
 * a limit) is for the digest to find out. Runs in the closing transaction, which nobody else waits for as long as it only reads.
 */
export type Recheck = (
  trx: Queryable,
  tenantId: string,
  members: readonly WaitingMember[],
  now: Date,
) => Promise<ReadonlyMap<string, Dropped>>

export interface CloseDigestsDeps {
  pool: pg.Pool
  ids: IdSource
  keyTtlMs: number
  recheck: Recheck
  /** Announces, after the commit, that a queue has got work or that there are new status events. */
  wake(topic: string): void
  logger: Pick<Logger, 'error'>
  /** Hears, after the commit, of each that was closed or told of: why (`group`: told of, and going on), and of how many events. */
  onClosed?(reason: string, folded: number): void
  /** One transaction takes on so many digests, and about so many members. */
  most?: { digests: number; members: number }
}

const atOnce = { digests: 200, members: 5_000 }
/** One that cannot be closed is tried again then, and holds up no other. */
const postponedMs = 60_000

/**
 * Closes the digests that are due, and tells of groups of alerts whose time has come: each with its request in one transaction,
 * so that it is sent once or not yet. Any number may run at once. Gives how many were looked at.
 */
export async function closeDueDigests(on: CloseDigestsDeps, now: Date): Promise<number> {
  const most = on.most ?? atOnce
  let closed = 0
  let left = Number.POSITIVE_INFINITY // after a failure: one at a time, for as many as had failed together
  for (;;) {
    const alone = Number.isFinite(left)
    const taken: DueDigest[] = []
    try {
      const count = await closeSome(on, alone ? { digests: 1, members: 1 } : most, now, taken)
      closed += count
      if (count === 0) return closed
    } catch (error) {
      if (taken.length === 0 || isPassingFault(error)) throw error
      if (taken.length > 1) left = taken.length + 1
      else await postpone(on, taken[0]!, error, now)
    }
    if (alone && --left <= 0) left = Number.POSITIVE_INFINITY
  }
}

async function postpone(on: CloseDigestsDeps, { tenantId, id }: DueDigest, error: unknown, now: Date): Promise<void> {
  on.logger.error({ err: error, digest: id }, 'a digest cannot be closed, and is tried again later')
  await postponeDigests(on.pool, tenantId, [id], new Date(now.getTime() + postponedMs))
}

/** `taken` tells the caller what a failure is about. */
async function closeSome(
  on: CloseDigestsDeps,
  most: { digests: number; members: number },
  now: Date,
  taken: DueDigest[],
): Promise<number> {
  const settled = await inTransaction(on.pool, async (trx) => {
    taken.push(...(await takeDueDigests(trx, now, most)))
    if (taken.length === 0) return []
    const members = Map.groupBy(await takeMembers(trx, taken), ({ digestId }) => digestId)
    const dropped = await recheckAll(on, trx, taken, members, now)
    const settled = taken.map((due) => {
      const settle = due.kind === 'group' ? settleGroup : settleDigest
      return settle(due, members.get(due.id) ?? [], (id) => dropped.get(id), now)
    })
    await acceptAll(on, trx, settled, now)
    await finishDigests(trx, finishedOf(settled), on.ids, now)
    return settled
  })
  const sent = settled.flatMap(({ intent }) => (intent ? [intentsQueue(laneOf(intent.priority))] : []))
  for (const topic of new Set([...sent, ...(settled.length > 0 ? [statusEventsTopic] : [])])) on.wake(topic)
  for (const { digest, folded } of settled) {
    if (digest.state === 'closed' || folded > 0) on.onClosed?.(digest.closeReason ?? 'group', folded)
  }
  return settled.length
}

async function recheckAll(
  on: CloseDigestsDeps,
  trx: Queryable,
  digests: readonly DueDigest[],
  members: ReadonlyMap<string, readonly TakenMember[]>,
  now: Date,
): Promise<Map<string, Dropped>> {
  const dropped = new Map<string, Dropped>()
  for (const [tenantId, own] of Map.groupBy(digests, (digest) => digest.tenantId)) {
    const waiting = own.flatMap((digest) =>
      (members.get(digest.id) ?? []).flatMap(({ notificationIds, ...member }) =>
        notificationIds.map((id) => ({ ...member, notificationId: id, recipientId: digest.recipientId, digest })),
      ),
    )
    const inTime: WaitingMember[] = []
    for (const member of waiting) {
      const { expiresAt } = member.said
      if (expiresAt !== undefined && new Date(expiresAt) <= now) {
        dropped.set(member.notificationId, { outcome: 'expired', reason: 'expired' })
      } else inTime.push(member)
    }
    if (inTime.length === 0) continue
    for (const [id, drop] of await on.recheck(trx, tenantId, inTime, now)) dropped.set(id, drop)
  }
  return dropped
}

async function acceptAll(
  on: CloseDigestsDeps,
  trx: Queryable,
  settled: readonly SettledDigest[],
  now: Date,
): Promise<void> {
  const sending = settled.flatMap((each) => (each.intent ? [{ each, intent: each.intent }] : []))
  if (sending.length === 0) return
  const intents = sending.map(({ intent }) => intent)
  const { answers } = await acceptIntents(trx, intents, on.ids, now, on.keyTtlMs)
  sending.forEach(({ each }, index) => {
    each.digest.intentId = answers[index]!.intentId
  })
}

function finishedOf(settled: readonly SettledDigest[]): FinishedDigests {
  const events = settled.flatMap(({ digest, recipientId, intent, folded, ended }) => {
    const { tenantId, intentId, closeReason = 'group' } = digest
    const members = ended.map(({ id, outcome, reason, member }) => ({
      tenantId,
      subjectId: id,
      type: outcome === 'sent' ? 'notification.digested' : `notification.${outcome}`,
      data: { ...member.said.story, reason },
    }))
    if (!intent || !intentId) return members
    const data: EventData = {
      recipient_id: recipientId,
      type: intent.type,
      category: intent.category,
      correlation_id: intent.correlationId,
      folded,
      reason: closeReason,
    }
    const subjectId = notificationId(intentId, 1)
    return [...members, { tenantId, subjectId, type: 'notification.digest.closed', data }]
  })
  return {
    digests: settled.map(({ digest }) => digest),
    told: settled.flatMap(({ told }) => told),
    over: settled.flatMap(({ over }) => over),
    ended: settled.flatMap(({ ended }) => ended),
    events,
  }
}
