import type { DigestItem, DigestPolicy } from '../domain/digest.ts'
import type { SaidOfMember } from '../domain/digest-message.ts'
import type { EventData } from '../domain/event-types.ts'
import type { GroupTimes } from '../domain/grouping.ts'
import type { RecipientRef } from '../domain/intent.ts'
import { type Queryable, run, statement } from '../platform/db.ts'

const takeDueSql = statement('digests/take_due')
const takeMembersSql = statement('digests/take_members')
const finishSql = statement('digests/finish')

export interface DueDigest {
  tenantId: string
  id: string
  recipientId: string
  recipient: RecipientRef
  key: string
  kind: 'digest' | 'group'
  /** Of a group with its times. */
  policy: DigestPolicy & Partial<GroupTimes>
  timezone?: string
  openedAt: Date
  flushedAt?: Date
  /** Already known where it was full, or asked for. */
  closeReason?: string
}

export interface TakenMember {
  tenantId: string
  digestId: string
  eventRef: string
  /** Rising; of a group the first may have been told of already. */
  notificationIds: string[]
  item: DigestItem
  said: SaidOfMember & { story: EventData }
  at: Date
  resolved: boolean
  flushedAt?: Date
}

interface DigestRow extends Record<string, unknown> {
  tenant_id: string
  id: string
  recipient_id: string
  recipient: RecipientRef
  key: string
  kind: DueDigest['kind']
  policy: DueDigest['policy']
  timezone: string | null
  opened_at: Date
  flushed_at: Date | null
  close_reason: string | null
}

interface MemberRow extends Record<string, unknown> {
  tenant_id: string
  digest_id: string
  event_ref: string
  notification_ids: string[]
  item: DigestItem
  said: TakenMember['said']
  at: Date
  resolved: boolean
  flushed_at: Date | null
}

/** Locks what is due, in the transaction that closes it. */
export async function takeDueDigests(
  trx: Queryable,
  now: Date,
  most: { digests: number; members: number },
): Promise<DueDigest[]> {
  const rows = await run<DigestRow>(trx, takeDueSql, [now, most.digests, most.members])
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    id: row.id,
    recipientId: row.recipient_id,
    recipient: row.recipient,
    key: row.key,
    kind: row.kind,
    policy: row.policy,
    timezone: row.timezone ?? undefined,
    openedAt: row.opened_at,
    flushedAt: row.flushed_at ?? undefined,
    closeReason: row.close_reason ?? undefined,
  }))
}

/** Takes all members of the digests, in order; those of groups stay where they are. */
export async function takeMembers(trx: Queryable, digests: readonly DueDigest[]): Promise<TakenMember[]> {
  const [closing, groups] = [
    digests.filter(({ kind }) => kind === 'digest'),
    digests.filter(({ kind }) => kind === 'group'),
  ]
  const keys = (of: readonly DueDigest[]) => [[...new Set(of.map(({ tenantId }) => tenantId))], of.map(({ id }) => id)]
  const rows = await run<MemberRow>(trx, takeMembersSql, [...keys(closing), ...keys(groups)])
  return rows
    .map((row) => ({
      tenantId: row.tenant_id,
      digestId: row.digest_id,
      eventRef: row.event_ref,
      notificationIds: row.notification_ids.toSorted(),
      item: row.item,
      said: row.said,
      at: row.at,
      resolved: row.resolved,
      flushedAt: row.flushed_at ?? undefined,
    }))
    .sort((a, b) => a.at.getTime() - b.at.getTime() || (newestOf(a) < newestOf(b) ? -1 : 1))
}

export const newestOf = ({ notificationIds }: Pick<TakenMember, 'notificationIds'>) => notificationIds.at(-1) ?? ''

export interface FinishedDigest {
  tenantId: string
  id: string
  state: 'open' | 'closed'
  closeReason?: string
  closesAt?: Date
  flushedAt?: Date
  /** What is still in it. */
  count?: number
  folded?: number
  intentId?: string
}

export interface EndedNotification {
  tenantId: string
  id: string
  outcome: 'sent' | 'suppressed' | 'expired' | 'failed'
  reason: string
}

type MemberKey = Pick<TakenMember, 'tenantId' | 'digestId' | 'eventRef'>

export interface FinishedDigests {
  digests: FinishedDigest[]
  /** Of groups: told of, and burning on. */
  told: MemberKey[]
  /** Of groups: no longer in them. */
  over: MemberKey[]
  ended: EndedNotification[]
  events: { tenantId: string; subjectId: string; type: string; data: EventData }[]
}

/** Writes what became of the digests, in the transaction that took them. */
export async function finishDigests(
  trx: Queryable,
  { digests, told, over, ended, events }: FinishedDigests,
  ids: { batchId(): string },
  now: Date,
): Promise<void> {
  const notificationIds = ended.map(({ id }) => id).sort()
  const batches = [...Map.groupBy(events, ({ tenantId }) => tenantId)].map(([tenantId, all]) => ({
    tenant_id: tenantId,
    id: ids.batchId(),
    events: all.map(({ subjectId, type, data }) => ({ subject_id: subjectId, type, data })),
  }))
  const keys = (members: readonly MemberKey[]) =>
    JSON.stringify(
      members.map(({ tenantId, digestId, eventRef }) => ({
        tenant_id: tenantId,
        digest_id: digestId,
        event_ref: eventRef,
      })),
    )
  await run(trx, finishSql, [
    now,
    JSON.stringify(digests.map(digestRow)),
    keys(told),
    keys(over),
    JSON.stringify(ended.map(({ tenantId, id, outcome, reason }) => ({ tenant_id: tenantId, id, outcome, reason }))),
    [...new Set(digests.map(({ tenantId }) => tenantId))],
    digests.map(({ id }) => id),
    notificationIds,
    notificationIds[0] ?? null,
    notificationIds.at(-1) ?? null,
    JSON.stringify(batches),
  ])
}

function digestRow(digest: FinishedDigest): object {
  const { tenantId, id, state, closeReason, closesAt, flushedAt, count, folded, intentId } = digest
  return {
    tenant_id: tenantId,
    id,
    state,
    close_reason: closeReason,
    closes_at: closesAt,
    flushed_at: flushedAt,
    count,
    folded,
    intent_id: intentId,
  }
}
