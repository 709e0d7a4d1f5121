import { intentIdOf, isNotificationId, lastIdOf, notificationIdOf } from '../../domain/ids.ts'
import { type FeedCursor, feedStart, type StatusEvent } from '../../domain/status-event.ts'
import { readHorizon, readInboxFeed } from '../../store/inbox-items.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { decodeFeedCursor } from './cursors.ts'
import { fault } from './errors.ts'
import { findViews } from './loaders.ts'
import { Notification } from './notification-type.ts'
import type { NotificationView } from './notification-view.ts'
import { subscribed } from './subscribed.ts'
import { coalesceWakeUps, type WakeUps } from './wake-ups.ts'

const feedPage = 100

builder.subscriptionField('notificationReceived', (t) =>
  t.field({
    type: Notification,
    description:
      "What comes into a user's inbox. With `after`, the `cursor` of the last one seen, first all that came since; without it, what is new.",
    args: { userId: t.arg.id({ required: true }), after: t.arg.string() },
    subscribe: (_root, args, context) => {
      requireScope(context, 'read')
      const after = args.after == null ? undefined : decodeFeedCursor(args.after, ['after'])
      return subscribed(context, (signal) => followInbox(context, args.userId, after, signal))
    },
    resolve: (view) => view,
  }),
)

builder.subscriptionField('notificationStatusChanged', (t) =>
  t.field({
    type: Notification,
    description: 'A notification as it is now, and again at every status event of it.',
    args: { notificationId: t.arg.id({ required: true }) },
    subscribe: (_root, args, context) => {
      requireScope(context, 'read')
      return subscribed(context, (signal) => followStatus(context, args.notificationId.toLowerCase(), signal))
    },
    resolve: (view) => view,
  }),
)

/**
 * The inbox itself is the feed: an event is only the sign to read on from where we are, so nothing between the past and
 * the present is missed or doubled, whatever the live feed does.
 */
async function followInbox(
  context: ApiContext,
  userId: string,
  after: FeedCursor | undefined,
  signal: AbortSignal,
): Promise<AsyncGenerator<NotificationView>> {
  const { tenantId } = context.principal
  const live = await context.services.feed.follow({
    tenantId,
    accepts: (event) => event.tenantId === tenantId && isInboxEvent(event, userId),
    signal,
  })
  const wakeUps = coalesceWakeUps(live)
  if (after) return readAsItComes(context, userId, after, null, wakeUps)
  const { snapshot, xmin } = await asCaller(context, readHorizon)
  return readAsItComes(context, userId, { xid: xmin, id: feedStart.id }, snapshot, wakeUps)
}

async function* readAsItComes(
  context: ApiContext,
  userId: string,
  after: FeedCursor,
  since: string | null,
  wakeUps: WakeUps,
): AsyncGenerator<NotificationView> {
  let place = after
  for (;;) {
    const { places, views } = await readOn(context, userId, place, since)
    for (const { id, xid } of places) {
      place = { xid, id }
      const view = views.get(notificationIdOf(id))
      if (view) yield view
    }
    if (places.length < feedPage && !(await wakeUps.next())) return
  }
}

function readOn(context: ApiContext, userId: string, place: FeedCursor, since: string | null) {
  const { tenantId } = context.principal
  return asCaller(context, async (trx) => {
    const places = await readInboxFeed(trx, tenantId, userId, place, { since, limit: feedPage })
    const ids = places.map(({ id }) => notificationIdOf(id))
    const views = places.length > 0 ? await findViews(trx, tenantId, ids, context.services.clock.now()) : new Map()
    return { places, views: views as Map<string, NotificationView> }
  })
}

/** An event that may have come with an inbox item. One that does not say whose it is counts as anybody's. */
function isInboxEvent({ type, data }: StatusEvent, userId: string): boolean {
  if (!type.startsWith('notification.in_app.')) return false
  return data.recipient_id === undefined || data.recipient_id === userId
}

async function followStatus(
  context: ApiContext,
  id: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<NotificationView>> {
  const { tenantId } = context.principal
  const unknown = fault('NOT_FOUND', 'there is no such notification', { path: ['notificationId'] })
  if (!isNotificationId(id)) throw unknown
  const live = await context.services.feed.follow({
    tenantId,
    accepts: (event) => event.tenantId === tenantId && isOfStory(event, id),
    signal,
  })
  const first = await context.load.notification(id)
  if (!first) throw unknown
  return readAtEachEvent(context, first, live)
}

async function* readAtEachEvent(
  context: ApiContext,
  first: NotificationView,
  live: AsyncIterable<StatusEvent>,
): AsyncGenerator<NotificationView> {
  yield first
  for await (const _event of live) {
    const view = await context.load.notification(first.id)
    if (view) yield view
  }
}

/** Events of the notification, of its deliveries, and of its intent but for the one that began it. */
function isOfStory({ subjectId, type }: StatusEvent, id: string): boolean {
  if (subjectId === intentIdOf(id)) return type !== 'notification.intent.received'
  return subjectId >= id && subjectId <= lastIdOf(id)
}
