import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import type { DueDigest, TakenMember } from './closing-digests.ts'

const takeSql = statement('digests/take_retimed')

export interface RetimedDigest extends Omit<DueDigest, 'flushedAt'> {
  state: 'open' | 'full' | 'closed'
  closesAt: Date
  longestAt?: Date
  /** One that it waits with; absent where all were cancelled. */
  newest?: Pick<TakenMember, 'eventRef' | 'item' | 'said' | 'at'> & { notificationId: string }
}

interface Row extends Record<string, unknown> {
  tenant_id: string
  id: string
  recipient_id: string
  recipient: DueDigest['recipient']
  key: string
  kind: DueDigest['kind']
  policy: DueDigest['policy']
  timezone: string | null
  opened_at: Date
  closes_at: Date
  longest_at: Date | null
  close_reason: string | null
  state: RetimedDigest['state']
  notification_id: string | null
  event_ref: string
  item: TakenMember['item']
  said: TakenMember['said']
  at: Date
}

/** Locks digests that are to be looked at again, with the zones that hold now. */
export async function takeRetimedDigests(trx: Queryable, limit: number): Promise<RetimedDigest[]> {
  const rows = await run<Row>(trx, takeSql, [limit])
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
    closesAt: row.closes_at,
    longestAt: row.longest_at ?? undefined,
    closeReason: row.close_reason ?? undefined,
    state: row.state,
    newest:
      row.notification_id === null
        ? undefined
        : {
            notificationId: row.notification_id,
            eventRef: row.event_ref,
            item: row.item,
            said: row.said,
            at: row.at,
          },
  }))
}

const moveSql: Statement = {
  name: 'digests_move',
  text: `update carillon.digests d
  set retime = false, closes_at = r.closes_at, policy = coalesce(r.policy, d.policy), timezone = r.timezone
  from json_to_recordset($1::json) as r (tenant_id uuid, id uuid, closes_at timestamptz, policy jsonb, timezone text)
  where d.tenant_id = r.tenant_id and d.id = r.id and d.tenant_id = any ($2::uuid[]) and d.id = any ($3::uuid[])`,
}

export interface MovedDigest {
  digest: RetimedDigest
  closesAt: Date
  policy?: RetimedDigest['policy']
}

export async function moveDigests(trx: Queryable, moved: readonly MovedDigest[]): Promise<void> {
  const rows = moved.map(({ digest: { tenantId, id, timezone }, closesAt, policy }) => ({
    tenant_id: tenantId,
    id,
    closes_at: closesAt,
    policy,
    timezone,
  }))
  const tenants = [...new Set(rows.map((row) => row.tenant_id))]
  await run(trx, moveSql, [JSON.stringify(rows), tenants, rows.map(({ id }) => id)])
}
