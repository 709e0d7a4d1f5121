import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface InboxCounts {
  unread: number
  unseen: number
}

const findSql: Statement = {
  name: 'inbox_counters_find',
  text: 'select c.unread, c.unseen from carillon.inbox_counters c where c.tenant_id = $1::uuid and c.recipient_id = $2::text',
}

export async function findInboxCounts(on: Queryable, tenantId: string, recipientId: string): Promise<InboxCounts> {
  const [row] = await run<InboxCounts & Record<string, unknown>>(on, findSql, [tenantId, recipientId])
  return row ?? { unread: 0, unseen: 0 }
}

const lowerSql: Statement = {
  name: 'inbox_counters_lower',
  text: `update carillon.inbox_counters c set unread = greatest(0, c.unread - $3::int), unseen = greatest(0, c.unseen - $4::int)
  where c.tenant_id = $1::uuid and c.recipient_id = $2::text`,
}

/** Takes away what was marked. After the items are locked, never before: that order keeps marks and settles apart. */
export async function lowerInboxCounts(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  by: InboxCounts,
): Promise<void> {
  if (by.unread === 0 && by.unseen === 0) return
  await run(on, lowerSql, [tenantId, recipientId, by.unread, by.unseen])
}
