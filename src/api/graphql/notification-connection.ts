import { builder } from './builder.ts'
import { type Connection, PageInfo } from './connection.ts'
import { encodeIdCursor } from './cursors.ts'
import { Notification } from './notification-type.ts'
import type { NotificationView } from './notification-view.ts'

const NotificationEdge = builder
  .objectRef<Connection<NotificationView>['edges'][number]>('NotificationEdge')
  .implement({
    fields: (t) => ({
      node: t.field({ type: Notification, resolve: (edge) => edge.node }),
      cursor: t.exposeString('cursor'),
    }),
  })

export const NotificationConnection = builder
  .objectRef<Connection<NotificationView>>('NotificationConnection')
  .implement({
    description: 'A page, the newest first. There is no total: counting is unbounded.',
    fields: (t) => ({
      edges: t.field({ type: [NotificationEdge], resolve: (connection) => connection.edges }),
      nodes: t.field({ type: [Notification], resolve: (connection) => connection.nodes }),
      pageInfo: t.field({ type: PageInfo, resolve: (connection) => connection.pageInfo }),
    }),
  })

export const cursorOfNotification = (view: NotificationView): string => encodeIdCursor(view.id)
