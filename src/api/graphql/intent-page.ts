import type pg from 'pg'
import { lastIdOf, notificationId } from '../../domain/ids.ts'
import { findIntents, type IntentRow } from '../../store/intents.ts'
import { findNotifications, type NotificationPage, pageNotifications } from '../../store/notifications.ts'
import { type NotificationView, viewOfIntent, viewOfRow } from './notification-view.ts'

/**
 * One page of an intent's notifications, those that planning has yet to write among them. Three statements. What has a
 * row is looked for before the page is read, so that a notification planned in between is on the page, as a row.
 */
export async function findViewsOfIntent(
  trx: pg.PoolClient,
  tenantId: string,
  intentId: string,
  page: NotificationPage,
  now: Date,
): Promise<NotificationView[]> {
  const [intent] = await findIntents(trx, tenantId, [intentId])
  if (!intent) return []
  const named = (intent.payload.recipients ?? []).map((_recipient, index) => notificationId(intentId, index + 1))
  const planned = new Set((await findNotifications(trx, tenantId, named)).map((row) => row.id))
  const rows = await pageNotifications(trx, tenantId, {
    ...page,
    above: greatest(page.above, intentId),
    atMost: lastIdOf(intentId),
  })
  const views = new Map(rows.map((row) => [row.id, viewOfRow(row)]))
  for (const id of named) {
    if (planned.has(id) || views.has(id)) continue
    const view = unplannedOn(page, tenantId, intent, id, now)
    if (view) views.set(id, view)
  }
  const ids = [...views.keys()].sort()
  if (page.newestFirst) ids.reverse()
  return ids.slice(0, page.limit).map((id) => views.get(id)!)
}

/** The same filters as the page's statement has, for what is no row yet. */
function unplannedOn(
  page: NotificationPage,
  tenantId: string,
  intent: IntentRow,
  id: string,
  now: Date,
): NotificationView | undefined {
  if (page.unread !== undefined) return undefined
  if (page.atLeast !== undefined && id < page.atLeast) return undefined
  if (page.below !== undefined && id >= page.below) return undefined
  if (page.above !== undefined && id <= page.above) return undefined
  const view = viewOfIntent(tenantId, intent, id, now)
  if (!view?.unplanned) return undefined
  if (page.recipientId !== undefined && view.recipientId !== page.recipientId) return undefined
  if (page.type !== undefined && view.type !== page.type) return undefined
  if (page.channel !== undefined && !view.channels.includes(page.channel)) return undefined
  if (page.statuses && !page.statuses.includes(view.unplanned)) return undefined
  return view
}

function greatest(one: string | undefined, other: string): string {
  return one !== undefined && one > other ? one : other
}
