import { isId, notificationIdOf } from '../../domain/ids.ts'
import { type DeadLetterRow, pageDeadLetters, replayDeadLetters } from '../../store/dead-letters.ts'
import { builder } from './builder.ts'
import { type Connection, PageInfo, PaginationInput, pageWindow, toConnection } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { decodePlaceCursor, encodePlaceCursor } from './cursors.ts'
import { fault } from './errors.ts'
import { Notification } from './notification-type.ts'
import { ChannelEnum } from './scalars.ts'

const DeadLetter = builder.objectRef<DeadLetterRow>('DeadLetter').implement({
  description: 'A delivery that ended without success and waits for a person.',
  fields: (t) => ({
    deliveryId: t.exposeID('delivery_id'),
    notificationId: t.id({ resolve: (letter) => notificationIdOf(letter.delivery_id) }),
    notification: t.field({
      type: Notification,
      nullable: true,
      resolve: (letter, _args, { load }) => load.notification(notificationIdOf(letter.delivery_id)),
    }),
    channel: t.field({ type: ChannelEnum, resolve: (letter) => letter.channel }),
    reason: t.exposeString('reason'),
    attempts: t.exposeInt('attempts'),
    createdAt: t.field({ type: 'DateTime', resolve: (letter) => letter.created_at }),
  }),
})

const DeadLetterEdge = builder.objectRef<Connection<DeadLetterRow>['edges'][number]>('DeadLetterEdge').implement({
  fields: (t) => ({
    node: t.field({ type: DeadLetter, resolve: (edge) => edge.node }),
    cursor: t.exposeString('cursor'),
  }),
})

const DeadLetterConnection = builder.objectRef<Connection<DeadLetterRow>>('DeadLetterConnection').implement({
  fields: (t) => ({
    edges: t.field({ type: [DeadLetterEdge], resolve: (connection) => connection.edges }),
    nodes: t.field({ type: [DeadLetter], resolve: (connection) => connection.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (connection) => connection.pageInfo }),
  }),
})

builder.queryField('deadLetters', (t) =>
  t.field({
    type: DeadLetterConnection,
    description: 'What waits for a person, the newest first.',
    args: { pagination: t.arg({ type: PaginationInput }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'manage')
      const window = pageWindow(args.pagination, decodePlaceCursor)
      const rows = await asCaller(context, (trx) =>
        pageDeadLetters(trx, context.principal.tenantId, {
          before: window.olderThan,
          after: window.newerThan,
          newestFirst: window.newestFirst,
          limit: window.size + 1,
        }),
      )
      return toConnection(rows, window, (row) => encodePlaceCursor(row.place, row.delivery_id))
    },
  }),
)

const maxReplayed = 1_000

builder.mutationField('replayDeadLetters', (t) =>
  t.idList({
    description:
      'Sends dead letters once more, by their delivery ids; answers with those that were waiting. At most 1000.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'manage')
      if (args.ids.length > maxReplayed) {
        throw fault('BAD_USER_INPUT', `ids must be at most ${maxReplayed}`, { path: ['ids'] })
      }
      const ids = args.ids.map((id) => id.toLowerCase()).filter(isId)
      const { tenantId, keyId } = context.principal
      const now = context.services.clock.now()
      return asCaller(context, (trx) => replayDeadLetters(trx, tenantId, ids, `key ${keyId}`, now))
    },
  }),
)
