import { type ContactPointRow, findRecipients, pageRecipients, type RecipientRow } from '../../store/recipients.ts'
import { builder } from './builder.ts'
import { type Connection, PageInfo, PaginationInput, pageWindow, toConnection } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { decodeTextCursor, encodeTextCursor } from './cursors.ts'
import { ChannelEnum } from './scalars.ts'

const ContactPoint = builder.objectRef<ContactPointRow>('ContactPoint').implement({
  description: 'An address on a channel.',
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, resolve: (point) => point.channel }),
    address: t.exposeString('address'),
    position: t.exposeInt('position', { description: 'Of a channel, the usable one with the least is used.' }),
    deviceId: t.exposeString('device_id', { nullable: true, description: 'Of a push token.' }),
    verifiedAt: t.field({ type: 'DateTime', nullable: true, resolve: (point) => point.verified_at }),
    invalidAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is not used any more.',
      resolve: (point) => point.invalid_at,
    }),
    invalidReason: t.exposeString('invalid_reason', { nullable: true }),
  }),
})

export const Recipient = builder.objectRef<RecipientRow>('Recipient').implement({
  description: 'Who may be notified.',
  fields: (t) => ({
    id: t.exposeID('external_id'),
    name: t.exposeString('name', { nullable: true }),
    locale: t.exposeString('locale', { nullable: true }),
    timezone: t.exposeString('timezone', { nullable: true }),
    enabled: t.exposeBoolean('enabled', { description: 'false: nothing is sent.' }),
    roles: t.exposeStringList('roles'),
    groups: t.exposeStringList('groups'),
    attributes: t.field({ type: 'JSON', resolve: (recipient) => recipient.attributes }),
    contactPoints: t.field({
      type: [ContactPoint],
      description: 'By channel, the preferred one first.',
      resolve: (recipient) => recipient.contact_points,
    }),
    createdAt: t.field({ type: 'DateTime', resolve: (recipient) => recipient.created_at }),
    updatedAt: t.field({ type: 'DateTime', resolve: (recipient) => recipient.updated_at }),
  }),
})

const RecipientEdge = builder.objectRef<Connection<RecipientRow>['edges'][number]>('RecipientEdge').implement({
  fields: (t) => ({
    node: t.field({ type: Recipient, resolve: (edge) => edge.node }),
    cursor: t.exposeString('cursor'),
  }),
})

const RecipientConnection = builder.objectRef<Connection<RecipientRow>>('RecipientConnection').implement({
  fields: (t) => ({
    edges: t.field({ type: [RecipientEdge], resolve: (connection) => connection.edges }),
    nodes: t.field({ type: [Recipient], resolve: (connection) => connection.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (connection) => connection.pageInfo }),
  }),
})

const RecipientFilters = builder.inputType('RecipientFilters', {
  fields: (t) => ({
    role: t.string({ description: 'Only who has it.' }),
    group: t.string({ description: 'Only who is in it.' }),
    enabled: t.boolean(),
  }),
})

builder.queryField('recipient', (t) =>
  t.field({
    type: Recipient,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, async (trx) => (await findRecipients(trx, context.principal.tenantId, [args.id]))[0])
    },
  }),
)

builder.queryField('recipients', (t) =>
  t.field({
    type: RecipientConnection,
    description: 'The recipients, in the order of their ids.',
    args: { filters: t.arg({ type: RecipientFilters }), pagination: t.arg({ type: PaginationInput }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'manage')
      const window = pageWindow(args.pagination, decodeTextCursor)
      const { role, group, enabled } = args.filters ?? {}
      const rows = await asCaller(context, (trx) =>
        pageRecipients(trx, context.principal.tenantId, {
          after: window.olderThan,
          before: window.newerThan,
          forward: window.newestFirst,
          limit: window.size + 1,
          role: role ?? undefined,
          group: group ?? undefined,
          enabled: enabled ?? undefined,
        }),
      )
      return toConnection(rows, window, (row) => encodeTextCursor(row.external_id))
    },
  }),
)
