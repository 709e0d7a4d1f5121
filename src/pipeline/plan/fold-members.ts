import { createHash } from 'node:crypto'
import { type DigestItem, digestSize, digestTimes, type Fold } from '../../domain/digest.ts'
import type { SaidOfMember } from '../../domain/digest-message.ts'
import type { EventData } from '../../domain/event-types.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'

const foldSql = statement('plan/fold_members')

export interface Folding {
  notificationId: string
  /** The business event; where it has no id, its intent. An event is in a digest once. */
  eventRef: string
  recipientId: string
  /** Whom the digest is addressed to: by id, and by the addresses that the request gave. */
  recipient: RecipientRef
  timezone?: string
  fold: Fold
  item: DigestItem
  said: SaidOfMember
  /** What every status event of it says. */
  story: EventData
}

/** A group holds what is open, however much that is. */
const groupSize = 1_000_000_000

/**
 * Folds notifications into their recipients' open digests, in one statement. Call it in the transaction that plans them, after
 * writePlan, with those only that were planned now: that is what keeps a planning that comes again from folding twice. Sets
 * their digest_id, and tells of it (notification.folded).
 */
export async function foldMembers(
  trx: Queryable,
  tenantId: string,
  members: readonly Folding[],
  ids: Pick<IdSource, 'id' | 'batchId'>,
  now: Date,
): Promise<void> {
  if (members.length === 0) return
  const groups = [...Map.groupBy(members, ({ recipientId, fold }) => `${recipientId}\n${fold.key}`).values()]
  const places = new Map(groups.flatMap((group, index) => group.map((member) => [member, index + 1])))
  const filled = groups.reduce((sum, group) => sum + Math.ceil(group.length / sizeOf(group[0]!.fold)), 0)
  await run(trx, foldSql, [
    tenantId,
    now,
    JSON.stringify(groups.map((group) => groupRow(group.at(-1)!, now))),
    JSON.stringify(members.map((member) => memberRow(member, places.get(member)!))),
    Array.from({ length: groups.length + filled }, () => ids.id()),
    ids.batchId(),
    JSON.stringify(
      members.map(({ notificationId, story }) => ({
        subject_id: notificationId,
        type: 'notification.folded',
        data: { ...story, reason: 'digest' },
      })),
    ),
  ])
}

const sizeOf = ({ group, policy }: Fold) => (group ? groupSize : digestSize(policy))

/** The newest member says how the digest is; where a policy has just changed, the new one holds. */
function groupRow({ recipientId, recipient, timezone, fold }: Folding, now: Date): object {
  const { key, policy, group } = fold
  const { resolved: _, alert: __, ...times } = group ?? {}
  const { closesAt, longestAt } = group
    ? { closesAt: new Date(now.getTime() + group.waitMs) }
    : digestTimes(policy, timezone, now)
  return {
    recipient_id: recipientId,
    recipient,
    key,
    kind: group ? 'group' : 'digest',
    policy: { ...policy, ...times },
    timezone,
    closes_at: closesAt,
    longest_at: longestAt,
    size: sizeOf(fold),
  }
}

const maxRefLength = 300
const storable = /^[^\p{Cc}\p{Cs}]*$/u

/** What an index and JSON can hold, however long it is and whatever is in it. */
function short(ref: string): string {
  if (ref.length <= maxRefLength && storable.test(ref)) return ref
  return `sha256:${createHash('sha256').update(ref).digest('hex')}`
}

function memberRow({ notificationId, eventRef, fold, item, said, story }: Folding, place: number): object {
  const alert = fold.group?.alert
  return {
    place,
    event_ref: alert === undefined ? short(eventRef) : `alert:${short(alert)}`,
    notification_id: notificationId,
    item,
    said: { ...said, story },
    resolved: fold.group?.resolved ?? false,
  }
}
