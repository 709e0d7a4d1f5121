import { firstIdAt, isId, isNotificationId } from '../../domain/ids.ts'
import { parseMoment } from '../../pipeline/accept/validate-fields.ts'
import { pageNotifications } from '../../store/notifications.ts'
import { builder } from './builder.ts'
import { PaginationInput, pageWindow, toConnection } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { decodeIdCursor } from './cursors.ts'
import { fault } from './errors.ts'
import { findViewsOfIntent } from './intent-page.ts'
import { cursorOfNotification, NotificationConnection } from './notification-connection.ts'
import { Notification } from './notification-type.ts'
import { viewOfRow } from './notification-view.ts'
import { ChannelEnum, StatusEnum } from './scalars.ts'

const NotificationFilters = builder.inputType('NotificationFilters', {
  fields: (t) => ({
    intentId: t.id({ description: 'All of one intent, those not yet planned too.' }),
    recipientId: t.string(),
    status: t.field({ type: [StatusEnum] }),
    channel: t.field({ type: ChannelEnum }),
    type: t.string(),
    unread: t.boolean({
      description: 'true: in the inbox and neither read nor archived; false: in the inbox and read.',
    }),
    statusWebhooks: t.boolean({
      description:
        'true: those that tell webhook endpoints of status events; else all others. Of one intent or recipient: all.',
    }),
    from: t.field({ type: 'DateTime', description: 'Accepted at this moment or later.' }),
    to: t.field({ type: 'DateTime', description: 'Accepted before this moment.' }),
  }),
})

export type NotificationFilterValues = typeof NotificationFilters.$inferInput

builder.queryField('notification', (t) =>
  t.field({
    type: Notification,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'read')
      const id = args.id.toLowerCase()
      return isNotificationId(id) ? context.load.notification(id) : null
    },
  }),
)

builder.queryField('notifications', (t) =>
  t.field({
    type: NotificationConnection,
    args: { filters: t.arg({ type: NotificationFilters }), pagination: t.arg({ type: PaginationInput }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'read')
      const filters = args.filters ?? {}
      const window = pageWindow(args.pagination, decodeIdCursor)
      const isOfOne = filters.recipientId != null || filters.intentId != null
      const page = {
        atLeast: firstIdOf(filters.from, 'from'),
        below: least(window.olderThan, firstIdOf(filters.to, 'to')),
        above: window.newerThan,
        recipientId: filters.recipientId ?? undefined,
        type: filters.type ?? undefined,
        channel: filters.channel ?? undefined,
        statuses: filters.status ?? undefined,
        unread: filters.unread ?? undefined,
        statusWebhooks: isOfOne ? undefined : (filters.statusWebhooks ?? false),
        newestFirst: window.newestFirst,
        limit: window.size + 1,
      }
      const { tenantId } = context.principal
      const intentId = filters.intentId?.toLowerCase()
      if (intentId !== undefined && !(isId(intentId) && intentId.endsWith('00000000'))) {
        throw fault('BAD_USER_INPUT', 'filters.intentId is not the id of an intent', { path: ['filters', 'intentId'] })
      }
      const views = await asCaller(context, async (trx) =>
        intentId === undefined
          ? (await pageNotifications(trx, tenantId, page)).map(viewOfRow)
          : findViewsOfIntent(trx, tenantId, intentId, page, context.services.clock.now()),
      )
      return toConnection(views, window, cursorOfNotification)
    },
  }),
)

function firstIdOf(moment: string | null | undefined, name: string): string | undefined {
  if (moment == null) return undefined
  const at = parseMoment(moment)
  if (!at) throw fault('BAD_USER_INPUT', `filters.${name} is not a moment in ISO 8601`, { path: ['filters', name] })
  return firstIdAt(at.getTime())
}

function least(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one < other ? one : other
}
