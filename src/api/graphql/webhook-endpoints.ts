import { randomBytes } from 'node:crypto'
import {
  createWebhookEndpoint,
  enableWebhookEndpoint,
  listWebhookEndpoints,
  rotateWebhookSecret,
  type WebhookEndpointRow,
} from '../../store/webhook-endpoints.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { isUuid } from './uuid.ts'
import { webUrl } from './validate-fields.ts'

const maxListed = 1_000

const WebhookEndpoint = builder.objectRef<WebhookEndpointRow>('WebhookEndpoint').implement({
  description: 'A webhook address with signing secrets of its own (Standard Webhooks).',
  fields: (t) => ({
    id: t.exposeID('id'),
    url: t.exposeString('url'),
    enabled: t.boolean({ resolve: (endpoint) => endpoint.disabled_at === null }),
    disabledAt: t.field({ type: 'DateTime', nullable: true, resolve: (endpoint) => endpoint.disabled_at }),
    disabledReason: t.exposeString('disabled_reason', { nullable: true }),
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

const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

builder.mutationField('createWebhookEndpoint', (t) =>
  t.field({
    type: WebhookEndpointSecret,
    args: { url: t.arg.string({ required: true }) },
    resolve: async (_root, args, context): Promise<WithSecret> => {
      requireScope(context, 'manage')
      checkUrl(args.url, context)
      const secret = newSecret()
      const endpoint = await asCaller(context, (trx) =>
        createWebhookEndpoint(trx, context.principal.tenantId, {
          id: context.services.ids.id(),
          url: args.url,
          secret,
          now: context.services.clock.now(),
        }),
      )
      if (!endpoint) throw validationFault([{ path: ['url'], message: 'has an endpoint already' }])
      return { endpoint, secret }
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
      return onEndpoint(context, args.id, (trx, tenantId) => enableWebhookEndpoint(trx, tenantId, args.id))
    },
  }),
)

builder.queryField('webhookEndpoints', (t) =>
  t.field({
    type: [WebhookEndpoint],
    description: `At most ${maxListed}, the oldest first.`,
    resolve: (_root, _args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => listWebhookEndpoints(trx, context.principal.tenantId, maxListed))
    },
  }),
)

async function onEndpoint(
  context: ApiContext,
  id: string,
  work: (trx: Parameters<typeof rotateWebhookSecret>[0], tenantId: string) => Promise<WebhookEndpointRow | undefined>,
): Promise<WebhookEndpointRow> {
  const endpoint = isUuid(id) ? await asCaller(context, (trx) => work(trx, context.principal.tenantId)) : undefined
  if (!endpoint) throw fault('NOT_FOUND', 'there is no such endpoint', { path: ['id'] })
  return endpoint
}

function checkUrl(url: string, context: ApiContext): void {
  const { WEBHOOK_ALLOW_HTTP, NODE_ENV } = context.services.config
  const judged = webUrl.safeParse(url)
  if (!judged.success) throw validationFault([{ path: ['url'], message: judged.error.issues[0]!.message }])
  const { protocol, username } = new URL(url)
  if (username !== '') throw validationFault([{ path: ['url'], message: 'must not hold credentials' }])
  if (protocol === 'http:' && !WEBHOOK_ALLOW_HTTP && NODE_ENV === 'production') {
    throw validationFault([{ path: ['url'], message: 'must be https' }])
  }
}
