import { type ClosedDigest, digestIntent, type Told } from '../domain/digest-message.ts'
import { afterFlush, type GroupTimes, groupStep } from '../domain/grouping.ts'
import type { NewIntent } from '../domain/intent.ts'
import type { DueDigest, FinishedDigest, FinishedDigests, TakenMember } from '../store/closing-digests.ts'
import { newestOf } from '../store/closing-digests.ts'

/** Why a member does not go out with its digest: what the gates say of it now. */
export interface Dropped {
  outcome: 'suppressed' | 'expired' | 'failed'
  reason: string
}

/** What becomes of a digest: a request where something is left to be sent. */
export interface SettledDigest {
  digest: FinishedDigest
  recipientId: string
  intent?: NewIntent
  folded: number
  told: TakenMember[]
  over: TakenMember[]
  ended: (FinishedDigests['ended'][number] & { member: TakenMember })[]
}

type DropOf = (notificationId: string) => Dropped | undefined

/** An event goes out where one of the notifications that stand for it may. */
const isKept = (member: TakenMember, dropOf: DropOf) => member.notificationIds.some((id) => dropOf(id) === undefined)

/** A digest ends with all of its members. */
export function settleDigest(
  due: DueDigest,
  members: readonly TakenMember[],
  dropOf: DropOf,
  now: Date,
): SettledDigest {
  const kept = members.filter((member) => isKept(member, dropOf))
  const reason = due.closeReason ?? (due.policy.recurrence ? 'schedule' : 'window')
  return {
    digest: {
      tenantId: due.tenantId,
      id: due.id,
      state: 'closed',
      closeReason: kept.length === 0 ? 'empty' : reason,
      folded: kept.length,
    },
    recipientId: due.recipientId,
    intent: intentOf(due, kept, reason, now),
    folded: kept.length,
    told: [],
    over: [],
    ended: endedOf(members, dropOf, { outcome: 'sent', reason: 'digested' }),
  }
}

/** A group is told of, waits for its next turn, or ends. */
export function settleGroup(due: DueDigest, members: readonly TakenMember[], dropOf: DropOf, now: Date): SettledDigest {
  const kept = members.filter((member) => isKept(member, dropOf))
  const gone = members.filter((member) => !isKept(member, dropOf))
  const times = timesOf(due)
  const alerts = kept.map((member) => ({
    ref: member.eventRef,
    resolved: member.resolved,
    told: member.flushedAt !== undefined,
    newest: newestOf(member),
    endsAll: member.resolved && !member.eventRef.startsWith('alert:'),
  }))
  const step = groupStep({ ...due, ...times }, alerts, now, due.closeReason === 'requested')
  const head = { tenantId: due.tenantId, id: due.id }
  const droppedEnds = endedOf(gone, dropOf, { outcome: 'sent', reason: 'digested' })
  if (step.kind === 'wait') {
    const digest: FinishedDigest = { ...head, state: 'open', closesAt: step.until, count: kept.length }
    return { digest, recipientId: due.recipientId, folded: 0, told: [], over: gone, ended: droppedEnds }
  }
  if (step.kind === 'drop') {
    const closeReason = kept.length > 0 ? 'resolved' : 'empty'
    return {
      digest: { ...head, state: 'closed', closeReason, folded: 0 },
      recipientId: due.recipientId,
      folded: 0,
      told: [],
      over: [...members],
      ended: [...droppedEnds, ...endedOf(kept, dropOf, { outcome: 'suppressed', reason: 'resolved' })],
    }
  }
  const burning = kept.filter(({ eventRef }) => step.firing.has(eventRef))
  const listed = kept.map((member) => ({ ...member, item: { ...member.item, status: statusOf(member, step.firing) } }))
  const reason = step.ends ? (due.closeReason ?? 'resolved') : 'group'
  const digest: FinishedDigest = step.ends
    ? { ...head, state: 'closed', closeReason: reason, flushedAt: now, folded: kept.length }
    : { ...head, state: 'open', closesAt: afterFlush(times, now), flushedAt: now, count: burning.length }
  return {
    digest,
    recipientId: due.recipientId,
    intent: intentOf(due, listed, reason, now),
    folded: kept.length,
    told: step.ends ? [] : burning,
    over: step.ends ? [...members] : [...gone, ...kept.filter((member) => !burning.includes(member))],
    ended: [...droppedEnds, ...endedOf(kept, dropOf, { outcome: 'sent', reason: 'digested' })],
  }
}

const statusOf = ({ eventRef }: TakenMember, firing: ReadonlySet<string>) =>
  firing.has(eventRef) ? ('firing' as const) : ('resolved' as const)

function timesOf({ policy }: DueDigest): GroupTimes {
  const { waitMs = 0, intervalMs = 0, repeatMs = 0 } = policy
  return { waitMs, intervalMs, repeatMs }
}

function intentOf(due: DueDigest, members: readonly Told[], reason: string, now: Date): NewIntent | undefined {
  if (members.length === 0) return undefined
  const closed: ClosedDigest = { ...due, reason }
  return digestIntent(closed, members, now)
}

function endedOf(
  members: readonly TakenMember[],
  dropOf: DropOf,
  sent: { outcome: 'sent' | 'suppressed'; reason: string },
): SettledDigest['ended'] {
  return members.flatMap((member) =>
    member.notificationIds.map((id) => ({ tenantId: member.tenantId, id, member, ...(dropOf(id) ?? sent) })),
  )
}
