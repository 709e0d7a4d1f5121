import type { EventData } from '../../domain/event-types.ts'
import { idTimeMs, intentIdOf, isNotificationId, ordinalOf } from '../../domain/ids.ts'
import { asTenants } from '../../platform/db.ts'
import { cancelDeliveries, lockDeliveries } from '../../store/deliveries.ts'
import { cancelFolded } from '../../store/digests.ts'
import { findIntents, type IntentRow } from '../../store/intents.ts'
import { findNotifications, insertCancelledNotification } from '../../store/notifications.ts'
import { appendStatusEvents } from '../../store/status-events.ts'
import { builder } from './builder.ts'
import { type ApiServices, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { type NotificationView, viewOfIntent, viewOfRow } from './notification-view.ts'

builder.mutationField('cancelNotification', (t) =>
  t.boolean({
    description: 'Cancels what has not been sent yet. True only if nothing of the notification was or will be sent.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'send')
      return cancelNotification(context.services, context.principal.tenantId, args.id.toLowerCase())
    },
  }),
)

type Services = Pick<ApiServices, 'pool' | 'clock' | 'ids'>
type Trx = Parameters<Parameters<typeof asTenants>[2]>[0]

/**
 * Before planning, the notification itself is written as cancelled, and planning leaves it alone; after it, the
 * deliveries that wait are cancelled, and what waits in a digest leaves it. The primary key of the notification decides which of the two it is.
 */
export async function cancelNotification(on: Services, tenantId: string, id: string): Promise<boolean> {
  const unknown = fault('NOT_FOUND', 'there is no such notification', { path: ['id'] })
  if (!isNotificationId(id)) throw unknown
  return asTenants(on.pool, [tenantId], async (trx) => {
    const [row] = await findNotifications(trx, tenantId, [id])
    if (row) return cancelPlanned(on, trx, tenantId, viewOfRow(row))
    const unplanned = await cancelUnplanned(on, trx, tenantId, id)
    if (unplanned === 'unknown') throw unknown
    if (unplanned === 'cancelled') return true
    if (unplanned === 'many') return false // its members are not notifications yet, and one id cannot stop them all
    const [planned] = await findNotifications(trx, tenantId, [id]) // planning was faster, and has committed
    if (!planned) throw unknown
    return cancelPlanned(on, trx, tenantId, viewOfRow(planned))
  })
}

async function cancelUnplanned(
  on: Services,
  trx: Trx,
  tenantId: string,
  id: string,
): Promise<'cancelled' | 'planned' | 'many' | 'unknown'> {
  const [intent] = await findIntents(trx, tenantId, [intentIdOf(id)])
  const now = on.clock.now()
  const view = intent && viewOfIntent(tenantId, intent, id, now)
  if (!view) return 'unknown'
  const recipient = intent.payload.recipients![ordinalOf(id) - 1]!
  if (recipient.type === 'role' || recipient.type === 'group') return 'many'
  const inserted = await insertCancelledNotification(trx, tenantId, {
    ...view,
    recipientName: recipient.name ?? null,
    locale: recipient.locale ?? null,
    timezone: recipient.timezone ?? null,
    hasFallback: false,
    createdAt: new Date(idTimeMs(id)),
  })
  if (!inserted) return 'planned'
  const event = { subjectId: id, type: 'notification.cancelled', data: storyOf(view, intent) }
  await appendStatusEvents(trx, tenantId, [event], on.ids, now)
  return 'cancelled'
}

/** Locks before it looks, in a statement of its own, so that it sees what the last holder of the rows did. */
async function cancelPlanned(on: Services, trx: Trx, tenantId: string, view: NotificationView): Promise<boolean> {
  if (view.outcome) return view.outcome === 'cancelled'
  const now = on.clock.now()
  const before = await lockDeliveries(trx, tenantId, view.id)
  if (before.length === 0 && (await cancelFolded(trx, tenantId, view.id))) {
    const [intent] = await findIntents(trx, tenantId, [intentIdOf(view.id)])
    const data = { ...storyOf(view, intent), reason: 'cancelled' }
    await appendStatusEvents(trx, tenantId, [{ subjectId: view.id, type: 'notification.cancelled', data }], on.ids, now)
    return true
  }
  const cancelled = await cancelDeliveries(trx, tenantId, view.id, now)
  const reached = before.some(
    ({ channel, state }) => channel !== 'audit' && ['sending', 'sent', 'delivered', 'bounced'].includes(state),
  )
  const stopped = !reached && (cancelled.length > 0 || before.some(({ state }) => state === 'cancelled'))
  if (cancelled.length === 0) return stopped
  const [intent] = await findIntents(trx, tenantId, [intentIdOf(view.id)])
  const data = { ...storyOf(view, intent), reason: 'cancelled' }
  const events = cancelled.map(({ id, channel }) => ({
    subjectId: id,
    type: `notification.${channel}.cancelled`,
    data: { ...data, channel } as EventData,
  }))
  if (stopped) events.push({ subjectId: view.id, type: 'notification.cancelled', data })
  await appendStatusEvents(trx, tenantId, events, on.ids, now)
  return stopped
}

/** What every status event of a notification says of it. The intent is absent where it is past its retention. */
function storyOf(view: NotificationView, intent: Pick<IntentRow, 'idempotency_key'> | undefined): EventData {
  return {
    recipient_id: view.recipientId,
    type: view.type,
    category: view.category,
    idempotency_key: intent?.idempotency_key,
    correlation_id: view.correlationId,
    traceparent: view.traceparent,
  }
}
