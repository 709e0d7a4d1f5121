import type { CapturedMessage as Captured } from '../../channels/capture/capture-mailbox.ts'
import { builder } from './builder.ts'
import { requireScope } from './context.ts'
import { fault } from './errors.ts'
import { ChannelEnum } from './scalars.ts'
import { isUuid } from './uuid.ts'

const CapturedMessage = builder.objectRef<Captured>('CapturedMessage').implement({
  description: 'What would have been sent, in development.',
  fields: (t) => ({
    id: t.exposeID('id'),
    capturedAt: t.field({ type: 'DateTime', resolve: (captured) => captured.capturedAt }),
    channel: t.field({ type: ChannelEnum, resolve: (captured) => captured.channel }),
    notificationId: t.id({ resolve: ({ message }) => message.notificationId }),
    deliveryId: t.id({ resolve: ({ message }) => message.deliveryId }),
    type: t.string({ resolve: ({ message }) => message.type }),
    recipientId: t.string({ resolve: ({ message }) => message.recipientId }),
    address: t.string({ resolve: ({ message }) => message.address }),
    subject: t.string({ nullable: true, resolve: ({ message }) => message.subject }),
    body: t.string({ nullable: true, resolve: ({ message }) => message.body }),
    bodyHtml: t.string({ nullable: true, resolve: ({ message }) => message.bodyHtml }),
    eml: t.exposeString('eml', { nullable: true, description: 'Of e-mail: the text as it would go over the wire.' }),
  }),
})

builder.queryField('capturedMessages', (t) =>
  t.field({
    type: [CapturedMessage],
    description: "In development: the caller's captured messages, the newest first. Elsewhere NOT_FOUND.",
    args: {
      channel: t.arg({ type: ChannelEnum }),
      limit: t.arg.int({ defaultValue: 50 }),
      before: t.arg.id(),
    },
    resolve: async (_root, args, context) => {
      requireScope(context, 'read')
      const { mailbox } = context.services
      if (!mailbox) throw fault('NOT_FOUND', 'there is no capture mailbox here')
      const limit = args.limit ?? 50
      if (limit < 1 || limit > 100) throw fault('BAD_USER_INPUT', 'limit must be 1 to 100', { path: ['limit'] })
      if (args.before != null && !isUuid(args.before)) {
        throw fault('BAD_USER_INPUT', 'before is not the id of a captured message', { path: ['before'] })
      }
      const query = { limit, before: args.before ?? undefined, channel: args.channel ?? undefined }
      const captured = await mailbox.list(query)
      return captured.filter(({ message }) => message.tenantId === context.principal.tenantId)
    },
  }),
)
