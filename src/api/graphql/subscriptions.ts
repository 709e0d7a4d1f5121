import { intentIdOf, isNotificationId, lastIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { FeedCursor, StatusEvent } from '../../domain/status-event.ts'
import { type Horizon, readInboxFeed } from '../../store/inbox-items.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { decodeFeedCursor } from './cursors.ts'
import { fault } from './errors.ts'
import { inBatches } from './in-batches.ts'
import type { Arrival } from './live-reads.ts'
import { findViews } from './loaders.ts'
import { Notification } from './notification-type.ts'
import type { NotificationView } from './notification-view.ts'
import { subscribed } from './subscribed.ts'

const inboxPage = 100

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
 * What was in the inbox before a horizon is read from the inbox itself, page by page; what came after it is brought by
 * its events, one by one. Which of the two it is, the writing transaction alone decides, so between the past and the
 * present nothing is missed or doubled. Settling tells a transaction's items in the order of their ids, as pages do, so
 * every cursor that was given is a place to go on from.
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
    about: { recipientId: userId },
    accepts: (event) => event.tenantId === tenantId && isArrival(event),
    signal,
  })
  const reads = context.services.liveReads(tenantId)
  context.load = reads.load
  const horizon = await reads.horizon()
  return readInbox(context, userId, after, horizon, live)
}

async function* readInbox(
  context: ApiContext,
  userId: string,
  after: FeedCursor | undefined,
  horizon: Horizon,
  live: AsyncIterable<StatusEvent>,
): AsyncGenerator<NotificationView> {
  if (after) yield* readPast(context, userId, after, horizon.xmin)
  const reads = context.services.liveReads(context.principal.tenantId)
  const isNew = after ? isFrom(horizon.xmin, after) : isUnseenBy(horizon.snapshot)
  for await (const events of inBatches(live, inboxPage)) {
    const arrivals = events.map(({ subjectId, xid }) => ({
      notificationId: notificationIdOf(subjectId),
      recipientId: userId,
      xid,
    }))
    for (const view of await Promise.all(arrivals.filter(isNew).map(reads.arrived))) if (view) yield view
  }
}

async function* readPast(
  context: ApiContext,
  userId: string,
  after: FeedCursor,
  before: string,
): AsyncGenerator<NotificationView> {
  let place = after
  for (;;) {
    const { places, views } = await readPage(context, userId, place, before)
    for (const { id, xid } of places) {
      place = { xid, id }
      const view = views.get(notificationIdOf(id))
      if (view) yield view
    }
    if (places.length < inboxPage) return
  }
}

function readPage(context: ApiContext, userId: string, place: FeedCursor, before: string) {
  const { tenantId } = context.principal
  return asCaller(context, async (trx) => {
    const places = await readInboxFeed(trx, tenantId, userId, place, { before, limit: inboxPage })
    const ids = places.map(({ id }) => notificationIdOf(id))
    const views = await findViews(trx, tenantId, ids, context.services.clock.now())
    return { places, views }
  })
}

/** Whether the delivery has got through: it did so in the transaction that put it into the inbox, or later. */
function isArrival({ type }: StatusEvent): boolean {
  return type === 'notification.in_app.sent' || type === 'notification.in_app.delivered'
}

/** Past the pages, which end at the horizon; a cursor that was made up may lie further. */
function isFrom(horizon: string, after: FeedCursor): (arrival: Arrival) => boolean {
  const least = BigInt(horizon)
  const afterXid = BigInt(after.xid)
  return ({ xid, notificationId }) => {
    const writer = BigInt(xid)
    return writer >= least && (writer > afterXid || (writer === afterXid && notificationId > after.id))
  }
}

/** pg_visible_in_snapshot, the other way round: `xmin:xmax:xip,…` */
function isUnseenBy(snapshot: string): (arrival: Arrival) => boolean {
  const [xmin, xmax, inProgress] = snapshot.split(':')
  const [least, end] = [BigInt(xmin!), BigInt(xmax!)]
  const open = new Set(inProgress!.split(','))
  return ({ xid }) => {
    const writer = BigInt(xid)
    return writer >= end || (writer >= least && open.has(xid))
  }
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
    about: { intentId: intentIdOf(id) },
    accepts: (event) => event.tenantId === tenantId && isOfStory(event, id),
    signal,
  })
  context.load = context.services.liveReads(tenantId).load
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

/** Events of the notification, of its deliveries, and of its intent where they end it. */
function isOfStory({ subjectId, type }: StatusEvent, id: string): boolean {
  if (subjectId === intentIdOf(id)) return !/\.(received|enriched)$/.test(type)
  return subjectId >= id && subjectId <= lastIdOf(id)
}
