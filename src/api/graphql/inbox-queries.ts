import { notificationIdOf } from '../../domain/ids.ts'
import { findInboxCounts, type InboxCounts } from '../../store/inbox-counters.ts'
import { pageInbox } from '../../store/inbox-items.ts'
import { builder } from './builder.ts'
import { PaginationInput, pageWindow, toConnection } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { decodeIdCursor } from './cursors.ts'
import { findViews } from './loaders.ts'
import { cursorOfNotification, NotificationConnection } from './notification-connection.ts'

const InboxFilter = builder.inputType('InboxFilter', {
  fields: (t) => ({
    unread: t.boolean({ description: 'true: those not read; false: those read; absent: both.' }),
    archived: t.boolean({ description: 'true: those put away; else those that are not.' }),
  }),
})

const InboxCounters = builder.objectRef<InboxCounts>('InboxCounters').implement({
  description: 'What a badge shows: items that are not archived, and not read or not seen.',
  fields: (t) => ({ unread: t.exposeInt('unread'), unseen: t.exposeInt('unseen') }),
})

builder.queryField('inbox', (t) =>
  t.field({
    type: NotificationConnection,
    description: "A user's inbox, the newest first.",
    args: {
      userId: t.arg.id({ required: true }),
      filter: t.arg({ type: InboxFilter }),
      pagination: t.arg({ type: PaginationInput }),
    },
    resolve: async (_root, args, context) => {
      requireScope(context, 'read')
      const { tenantId } = context.principal
      const window = pageWindow(args.pagination, decodeIdCursor)
      const views = await asCaller(context, async (trx) => {
        const ids = await pageInbox(trx, tenantId, {
          recipientId: args.userId,
          unread: args.filter?.unread ?? undefined,
          archived: args.filter?.archived ?? false,
          below: window.olderThan,
          above: window.newerThan,
          newestFirst: window.newestFirst,
          limit: window.size + 1,
        })
        const found = await findViews(trx, tenantId, ids.map(notificationIdOf), context.services.clock.now())
        return ids.flatMap((id) => found.get(notificationIdOf(id)) ?? [])
      })
      return toConnection(views, window, cursorOfNotification)
    },
  }),
)

builder.queryField('inboxCounters', (t) =>
  t.field({
    type: InboxCounters,
    args: { userId: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'read')
      return asCaller(context, (trx) => findInboxCounts(trx, context.principal.tenantId, args.userId))
    },
  }),
)
