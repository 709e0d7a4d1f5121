import { idTimeMs, intentIdOf } from '../../domain/ids.ts'
import type { DeliveryRow } from '../../store/deliveries.ts'
import { builder } from './builder.ts'
import { encodeFeedCursor } from './cursors.ts'
import { Delivery, DeliveryAttempt, errorOf } from './delivery-type.ts'
import type { Loaders } from './loaders.ts'
import { deliveriesOf, inboxItemOf, type NotificationView, saidIn, statusOf } from './notification-view.ts'
import { NotificationRule, viewOfVersion } from './rule-type.ts'
import { ChannelEnum, PriorityEnum, RecipientTypeEnum, StatusEnum } from './scalars.ts'
import { NotificationTemplate } from './template-type.ts'

export const Notification = builder.objectRef<NotificationView>('Notification')

Notification.implement({
  description: 'One intent for one recipient: what a person gets, and the item in the inbox.',
  fields: (t) => ({
    id: t.exposeID('id'),
    intentId: t.id({ resolve: (view) => intentIdOf(view.id) }),
    eventId: t.exposeString('eventId', { nullable: true }),
    type: t.exposeString('type'),
    category: t.exposeString('category', { nullable: true }),
    correlationId: t.exposeString('correlationId', { nullable: true }),
    recipientType: t.field({ type: RecipientTypeEnum, resolve: (view) => view.recipientType }),
    recipientId: t.exposeString('recipientId'),
    subject: t.string({ nullable: true, resolve: (view, _args, { load }) => textOf(view, load, 'subject', 'title') }),
    body: t.string({ nullable: true, resolve: (view, _args, { load }) => textOf(view, load, 'body', 'body') }),
    bodyHtml: t.string({
      nullable: true,
      resolve: (view, _args, { load }) => textOf(view, load, 'bodyHtml', 'body_html'),
    }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      resolve: (view, _args, { load }) => view.payload?.data ?? saidIn(view, load).then((said) => said?.data),
    }),
    metadata: t.field({
      type: 'JSON',
      nullable: true,
      resolve: (view, _args, { load }) => view.payload?.metadata ?? saidIn(view, load).then((said) => said?.metadata),
    }),
    priority: t.field({ type: PriorityEnum, resolve: (view) => view.priority }),
    channels: t.field({ type: [ChannelEnum], resolve: (view) => view.channels }),
    selectedChannel: t.field({
      type: ChannelEnum,
      nullable: true,
      description: 'The channel that got through, else the one that is being tried.',
      resolve: async (view, _args, { load }) => selectedDelivery(await deliveriesOf(view, load))?.channel,
    }),
    status: t.field({ type: StatusEnum, resolve: (view, _args, { load }) => statusOf(view, load) }),
    scheduledAt: t.field({ type: 'DateTime', resolve: (view) => view.scheduledAt }),
    expiresAt: t.field({ type: 'DateTime', nullable: true, resolve: (view) => view.expiresAt }),
    sentAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => earliest(await deliveriesOf(view, load), 'sent_at'),
    }),
    deliveredAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => earliest(await deliveriesOf(view, load), 'delivered_at'),
    }),
    seenAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => (await inboxItemOf(view, load))?.seen_at,
    }),
    readAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => (await inboxItemOf(view, load))?.read_at,
    }),
    archivedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => (await inboxItemOf(view, load))?.archived_at,
    }),
    cursor: t.string({
      nullable: true,
      description: 'The place of the inbox item in the feed: give it to notificationReceived as `after`.',
      resolve: async (view, _args, { load }) => {
        const item = await inboxItemOf(view, load)
        return item && encodeFeedCursor(item)
      },
    }),
    retryCount: t.int({
      description: 'Attempts after the first, on the channel that was tried most.',
      resolve: async (view, _args, { load }) =>
        Math.max(0, ...(await deliveriesOf(view, load)).map((delivery) => delivery.attempt - 1)),
    }),
    nextRetryAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (view, _args, { load }) => earliest(await deliveriesOf(view, load), 'next_attempt_at'),
    }),
    error: t.string({ nullable: true, resolve: (view, _args, { load }) => errorOf(view, load) }),
    traceId: t.string({ nullable: true, resolve: (view) => view.traceparent?.split('-')[1] }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was accepted.',
      resolve: (view) => new Date(idTimeMs(view.id)),
    }),
    rule: t.field({
      type: NotificationRule,
      nullable: true,
      description: 'That wanted it, as it was then.',
      resolve: async ({ rule }, _args, { load }) => {
        const version = rule && (await load.ruleVersion(rule))
        return version ? viewOfVersion(version) : null
      },
    }),
    template: t.field({
      type: NotificationTemplate,
      nullable: true,
      resolve: (view, _args, { load }) => (view.template ? load.template(view.template) : null),
    }),
    deliveries: t.field({ type: [Delivery], resolve: (view, _args, { load }) => deliveriesOf(view, load) }),
    deliveryAttempts: t.field({
      type: [DeliveryAttempt],
      resolve: (view, _args, { load }) => (view.unplanned ? [] : load.attempts(view.id)),
    }),
  }),
})

/** As it was said in the request or, of a template, as it stands in the inbox. */
function textOf(
  view: NotificationView,
  load: Loaders,
  part: 'subject' | 'body' | 'bodyHtml',
  rendered: 'title' | 'body' | 'body_html',
): string | null | undefined | Promise<string | null | undefined> {
  if (view.unplanned && view.payload) return view.payload[part] // nothing is rendered yet
  return saidIn(view, load).then(
    async (said) => said?.[part] ?? (view.template ? (await inboxItemOf(view, load))?.[rendered] : null),
  )
}

function earliest(
  deliveries: readonly DeliveryRow[],
  moment: 'sent_at' | 'delivered_at' | 'next_attempt_at',
): Date | null {
  const known = deliveries.flatMap((delivery) => delivery[moment] ?? [])
  return known.length === 0 ? null : new Date(Math.min(...known.map((at) => at.getTime())))
}

const preference: DeliveryRow['state'][] = ['delivered', 'sent', 'sending', 'retrying', 'queued']

function selectedDelivery(deliveries: readonly DeliveryRow[]): DeliveryRow | undefined {
  for (const state of preference) {
    const found = deliveries.find((delivery) => delivery.state === state)
    if (found) return found
  }
  return undefined
}
