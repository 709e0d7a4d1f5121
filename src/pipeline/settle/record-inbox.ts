import { notificationIdOf } from '../../domain/ids.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { Finished } from './settlement.ts'

const recordSql = statement('settle/record_inbox_items')

/** Puts delivered in-app notifications into their recipients' inboxes; call it in the settling transaction. */
export async function recordInbox(
  trx: Queryable,
  tenantId: string,
  sent: readonly Finished[],
  now: Date,
): Promise<void> {
  const items = sent.flatMap(({ item: { claim, about, message } }) =>
    claim.channel === 'in_app' && about && message
      ? [
          {
            recipient_id: about.recipient_id,
            id: notificationIdOf(claim.deliveryId),
            type: about.type,
            title: message.subject ?? about.type,
            body: message.body,
            body_html: message.bodyHtml,
            data: message.data,
          },
        ]
      : [],
  )
  if (items.length > 0) await run(trx, recordSql, [tenantId, JSON.stringify(items), now])
}
