import { deliveryId, isNotificationId, notificationIdOf } from '../../domain/ids.ts'
import { lowerInboxCounts } from '../../store/inbox-counters.ts'
import {
  type InboxMark,
  type MarkedItem,
  markInboxItems,
  storyOf as rangeOfStory,
  wholeInbox,
} from '../../store/inbox-items.ts'
import { appendStatusEvents } from '../../store/status-events.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { findViews } from './loaders.ts'
import { Notification } from './notification-type.ts'
import type { NotificationView } from './notification-view.ts'

const mutations: { name: string; mark: InboxMark; description: string }[] = [
  {
    name: 'markNotificationRead',
    mark: 'read',
    description: 'Marks the inbox item as read, and so as seen. Idempotent.',
  },
  { name: 'markNotificationSeen', mark: 'seen', description: 'Marks the inbox item as seen. Idempotent.' },
  { name: 'archiveNotification', mark: 'archived', description: 'Puts the inbox item away. Idempotent.' },
]

for (const { name, mark, description } of mutations) {
  builder.mutationField(name, (t) =>
    t.field({
      type: Notification,
      description,
      args: { id: t.arg.id({ required: true }) },
      resolve: (_root, args, context) => {
        requireScope(context, 'read')
        return markOne(context, args.id.toLowerCase(), mark)
      },
    }),
  )
}

builder.mutationField('markAllNotificationsRead', (t) =>
  t.int({
    description: "Marks a user's whole inbox as read; says how many items were not.",
    args: { userId: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'read')
      return markAllRead(context, args.userId)
    },
  }),
)

/** A notification without an inbox item is given back as it is: there is nothing to mark. */
async function markOne(context: ApiContext, id: string, mark: InboxMark): Promise<NotificationView> {
  const { tenantId } = context.principal
  const now = context.services.clock.now()
  return asCaller(context, async (trx) => {
    const views = isNotificationId(id) ? await findViews(trx, tenantId, [id], now) : undefined
    const view = views?.get(id)
    if (!view) throw fault('NOT_FOUND', 'there is no such notification', { path: ['id'] })
    const marked = await markInboxItems(trx, tenantId, view.recipientId, mark, rangeOfStory(id), now)
    await lowerInboxCounts(trx, tenantId, view.recipientId, marked)
    await appendStatusEvents(trx, tenantId, eventsOf(marked.items, mark, view.recipientId), context.services.ids, now)
    return view
  })
}

async function markAllRead(context: ApiContext, recipientId: string): Promise<number> {
  const { tenantId } = context.principal
  const now = context.services.clock.now()
  return asCaller(context, async (trx) => {
    const marked = await markInboxItems(trx, tenantId, recipientId, 'read', wholeInbox, now)
    await lowerInboxCounts(trx, tenantId, recipientId, marked)
    const events = eventsOf(marked.items, 'read', recipientId)
    await appendStatusEvents(trx, tenantId, events, context.services.ids, now)
    return marked.items.length
  })
}

function eventsOf(items: readonly MarkedItem[], mark: InboxMark, recipientId: string) {
  return items.map(({ id, story }) => ({
    subjectId: deliveryId(notificationIdOf(id), 'in_app'),
    type: `notification.in_app.${mark}`,
    data: { ...story, recipient_id: recipientId, channel: 'in_app' },
  }))
}
