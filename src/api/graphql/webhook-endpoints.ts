import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { statusWebhookIntent, testEventType } from '../../domain/status-webhook.ts'
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  type EndpointChanges,
  type EndpointRefusal,
  findWebhookEndpoint,
  listWebhookEndpoints,
  rotateWebhookSecret,
  updateWebhookEndpoint,
  type WebhookEndpointRow,
} from '../../store/webhook-endpoints.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Notification } from './notification-type.ts'
import { viewsOfNewIntent } from './notification-view.ts'
import { isUuid } from './uuid.ts'
import { validateEndpoint } from './webhook-endpoint-rules.ts'

const maxListed = 1_000
/** Each multiplies what is sent. */
const maxSubscribed = 20

const WebhookEndpoint = builder.objectRef<WebhookEndpointRow>('WebhookEndpoint').implement({
  description:
    'A webhook address with signing secrets of its own (Standard Webhooks). With event types it is told of status events.',
  fields: (t) => ({
    id: t.exposeID('id'),
    url: t.exposeString('url'),
    description: t.exposeString('description', { nullable: true }),
    eventTypes: t.exposeStringList('event_types', {
      nullable: true,
      description: 'The status events that it is told of; null: none.',
    }),
    enabled: t.boolean({ resolve: (endpoint) => endpoint.disabled_at === null }),
    disabledAt: t.field({ type: 'DateTime', nullable: true, resolve: (endpoint) => endpoint.disabled_at }),
    disabledReason: t.exposeString('disabled_reason', {
      nullable: true,
      description: 'switched_off (by you), gone (it answered 410) or failing (for days, without a success)',
    }),
    lastSuccessAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Of calls that told of status events; noted every few seconds, as are the next three.',
      resolve: (endpoint) => endpoint.last_success_at,
    }),
    lastFailureAt: t.field({ type: 'DateTime', nullable: true, resolve: (endpoint) => endpoint.last_failure_at }),
    lastFailure: t.exposeString('last_failure', { nullable: true, description: 'What the last failure said.' }),
    failingSince: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The first failure after the last success; null while calls succeed.',
      resolve: (endpoint) => endpoint.failing_since,
    }),
    createdAt: t.field({ type: 'DateTime', resolve: (endpoint) => endpoint.created_at }),
  }),
})

interface WithSecret {
  endpoint: WebhookEndpointRow
  secret: string
}

const WebhookEndpointSecret = builder.objectRef<WithSecret>('WebhookEndpointSecret').implement({
  description: 'The only place where a secret is shown.',
  fields: (t) => ({
    id: t.id({ resolve: ({ endpoint }) => endpoint.id }),
    secret: t.exposeString('secret', { description: 'whsec_ and 32 bytes in base64' }),
    endpoint: t.field({ type: WebhookEndpoint, resolve: ({ endpoint }) => endpoint }),
  }),
})

const patternsHelp =
  'Types or patterns: `notification.email.sent`, `notification.email.*`, `notification.*.failed`, `*`.'

const WebhookEndpointInput = builder.inputType('WebhookEndpointInput', {
  description: 'What shall change; what is left out stays.',
  fields: (t) => ({
    url: t.string(),
    description: t.string({ description: 'null clears it.' }),
    eventTypes: t.stringList({ description: `${patternsHelp} null: it is told of none.` }),
    enabled: t.boolean({
      description: 'A subscription that comes back begins anew: what happened meanwhile is not told.',
    }),
  }),
})

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

builder.mutationField('createWebhookEndpoint', (t) =>
  t.field({
    type: WebhookEndpointSecret,
    args: {
      url: t.arg.string({ required: true }),
      eventTypes: t.arg.stringList({ description: `Status events that it is told of from now on. ${patternsHelp}` }),
      description: t.arg.string(),
      enabled: t.arg.boolean({ defaultValue: true }),
    },
    resolve: async (_root, args, context): Promise<WithSecret> => {
      requireScope(context, 'manage')
      const {
        url = '',
        eventTypes,
        description,
      } = validateEndpoint(
        { url: args.url, eventTypes: args.eventTypes, description: args.description },
        context.services.config,
      )
      const secret = newSecret()
      const endpoint = await writing(context, [], (trx, tenantId) =>
        createWebhookEndpoint(
          trx,
          tenantId,
          {
            id: context.services.ids.id(),
            url,
            secret,
            description: description ?? undefined,
            eventTypes: eventTypes ?? undefined,
            enabled: args.enabled ?? true,
            now: context.services.clock.now(),
          },
          maxSubscribed,
        ),
      )
      return { endpoint, secret }
    },
  }),
)

builder.mutationField('updateWebhookEndpoint', (t) =>
  t.field({
    type: WebhookEndpoint,
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: WebhookEndpointInput, required: true }) },
    resolve: async (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      const { url, description, eventTypes } = validateEndpoint(
        { url: input.url ?? undefined, description: input.description, eventTypes: input.eventTypes },
        context.services.config,
        ['input'],
      )
      return change(context, id, { url, description, eventTypes, enabled: input.enabled ?? undefined })
    },
  }),
)

builder.mutationField('deleteWebhookEndpoint', (t) =>
  t.field({
    type: 'Boolean',
    description: 'What is still on its way to it ends as a dead letter.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const isGone =
        isUuid(id) && (await asCaller(context, (trx) => deleteWebhookEndpoint(trx, context.principal.tenantId, id)))
      if (!isGone) throw notFound()
      return true
    },
  }),
)

builder.mutationField('rotateWebhookEndpointSecret', (t) =>
  t.field({
    type: WebhookEndpointSecret,
    description: 'Adds a secret; it and the one before sign until the next rotation.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, args, context): Promise<WithSecret> => {
      requireScope(context, 'manage')
      const secret = newSecret()
      const endpoint = await onEndpoint(context, args.id, (trx, tenantId) =>
        rotateWebhookSecret(trx, tenantId, args.id, secret),
      )
      return { endpoint, secret }
    },
  }),
)

builder.mutationField('enableWebhookEndpoint', (t) =>
  t.field({
    type: WebhookEndpoint,
    description: 'Takes an endpoint back into use that was switched off.',
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'manage')
      return change(context, args.id, { enabled: true })
    },
  }),
)

builder.mutationField('testWebhookEndpoint', (t) =>
  t.field({
    type: Notification,
    description: `Sends it an event of the type \`${testEventType}\`, and gives the notification, whose attempts tell how that went.`,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const { accept, clock, ids } = context.services
      const { tenantId } = context.principal
      const endpoint = await onEndpoint(context, id, (trx) => findWebhookEndpoint(trx, tenantId, id))
      if (endpoint.disabled_at) throw validationFault([{ path: ['id'], message: 'is switched off' }])
      const eventId = ids.id()
      const at = clock.now()
      const data = { id: eventId, tenant_id: tenantId, endpoint_id: endpoint.id }
      const intent = statusWebhookIntent(tenantId, endpoint.id, { id: eventId, type: testEventType, at, data })
      const [answer] = await accept.submit([intent])
      return viewsOfNewIntent(intent, answer!.intentId, at)[0]!
    },
  }),
)

builder.queryField('webhookEndpoints', (t) =>
  t.field({
    type: [WebhookEndpoint],
    description: `At most ${maxListed}, the oldest first.`,
    args: { subscribed: t.arg.boolean({ description: 'Only those that are, or are not, told of status events.' }) },
    resolve: (_root, { subscribed }, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) =>
        listWebhookEndpoints(trx, context.principal.tenantId, maxListed, subscribed ?? undefined),
      )
    },
  }),
)

type Work<T> = (trx: pg.PoolClient, tenantId: string) => Promise<T>

async function onEndpoint(
  context: ApiContext,
  id: string,
  work: Work<WebhookEndpointRow | undefined>,
): Promise<WebhookEndpointRow> {
  const endpoint = isUuid(id) ? await asCaller(context, (trx) => work(trx, context.principal.tenantId)) : undefined
  if (!endpoint) throw notFound()
  return endpoint
}

function change(context: ApiContext, id: string, changes: Omit<EndpointChanges, 'now'>): Promise<WebhookEndpointRow> {
  const now = context.services.clock.now()
  return writing(context, ['input'], async (trx, tenantId) => {
    const endpoint = isUuid(id)
      ? await updateWebhookEndpoint(trx, tenantId, id, { ...changes, now }, maxSubscribed)
      : undefined
    if (!endpoint) throw notFound()
    return endpoint
  })
}

/** Says why an endpoint was not written, and tells the workers of one that was. */
async function writing(
  context: ApiContext,
  path: readonly string[],
  work: Work<WebhookEndpointRow | EndpointRefusal>,
): Promise<WebhookEndpointRow> {
  const written = await asCaller(context, (trx) => work(trx, context.principal.tenantId)).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === '23505') return 'url_taken' as const // by one that came in between
    throw error
  })
  if (written === 'url_taken') throw validationFault([{ path: [...path, 'url'], message: 'has an endpoint already' }])
  if (written === 'too_many') {
    const message = `cannot be told to more than ${maxSubscribed} endpoints`
    throw validationFault([{ path: [...path, 'eventTypes'], message }])
  }
  if (written.event_types) context.services.onSubscribed()
  return written
}

const notFound = () => fault('NOT_FOUND', 'there is no such endpoint', { path: ['id'] })
