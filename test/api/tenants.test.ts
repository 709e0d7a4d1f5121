import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { schema } from '../../src/api/graphql/schema.ts'
import { inTransaction } from '../../src/platform/db.ts'
import { createApiWorld } from './api-world.ts'
import { deliverInApp, planInApp } from './inbox-seed.ts'

const world = await createApiWorld()
const [id] = await planInApp(world, 'ann', 1)
await deliverInApp(world, 'ann', [id!])
const { createWebhookEndpoint: endpoint } = await world.data(
  `mutation { createWebhookEndpoint(url: "https://example.com/hook") { id } }`,
)
await world.data(`mutation { upsertRecipients(inputs: [{ id: "ann", name: "Ann" }]) { id } }`)
await world.admin.query(
  `insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at) values ($1, $2, 'email', 'permanent', 1, now())`,
  [world.tenant, `${id!.slice(0, 34)}01`],
)

const foreign = { key: world.otherKey }
const nothing: Record<string, [query: string, expected: object]> = {
  notification: [`{ notification(id: "${id}") { id } }`, { notification: null }],
  notifications: [`{ notifications { nodes { id } } }`, { notifications: { nodes: [] } }],
  'notifications of an intent': [
    `{ notifications(filters: { intentId: "${id!.slice(0, 28)}00000000" }) { nodes { id } } }`,
    { notifications: { nodes: [] } },
  ],
  inbox: [`{ inbox(userId: "ann") { nodes { id } } }`, { inbox: { nodes: [] } }],
  inboxCounters: [`{ inboxCounters(userId: "ann") { unread unseen } }`, { inboxCounters: { unread: 0, unseen: 0 } }],
  recipient: [`{ recipient(id: "ann") { id } }`, { recipient: null }],
  webhookEndpoints: [`{ webhookEndpoints { id } }`, { webhookEndpoints: [] }],
  deadLetters: [`{ deadLetters { nodes { deliveryId } } }`, { deadLetters: { nodes: [] } }],
  replayDeadLetters: [`mutation { replayDeadLetters(ids: ["${id}"]) }`, { replayDeadLetters: [] }],
  markAllNotificationsRead: [`mutation { markAllNotificationsRead(userId: "ann") }`, { markAllNotificationsRead: 0 }],
}

const refused: Record<string, string> = {
  cancelNotification: `mutation { cancelNotification(id: "${id}") }`,
  markNotificationRead: `mutation { markNotificationRead(id: "${id}") { id } }`,
  markNotificationSeen: `mutation { markNotificationSeen(id: "${id}") { id } }`,
  archiveNotification: `mutation { archiveNotification(id: "${id}") { id } }`,
  rotateWebhookEndpointSecret: `mutation { rotateWebhookEndpointSecret(id: "${endpoint.id}") { id } }`,
  enableWebhookEndpoint: `mutation { enableWebhookEndpoint(id: "${endpoint.id}") { id } }`,
  updateWebhookEndpoint: `mutation { updateWebhookEndpoint(id: "${endpoint.id}", input: { description: "mine" }) { id } }`,
  deleteWebhookEndpoint: `mutation { deleteWebhookEndpoint(id: "${endpoint.id}") }`,
  testWebhookEndpoint: `mutation { testWebhookEndpoint(id: "${endpoint.id}") { id } }`,
}

/** They name nothing of anybody's; or, for subscriptions and sends, tests of their own say it. */
const elsewhere = [
  'capturedMessages',
  'sendNotification',
  'sendNotifications',
  'publishEvent',
  'publishEvents',
  'upsertRecipients',
  'createWebhookEndpoint',
]

describe("another tenant's key", () => {
  for (const [name, [query, expected]] of Object.entries(nothing)) {
    it(`sees nothing by ${name}`, async () => {
      assert.deepEqual(await world.data(query, undefined, foreign), expected)
    })
  }
  for (const [name, query] of Object.entries(refused)) {
    it(`gets NOT_FOUND from ${name}`, async () => {
      assert.equal((await world.error(query, undefined, foreign)).extensions.code, 'NOT_FOUND')
    })
  }

  it('changes nothing by upserting a recipient of the same id', async () => {
    await world.data(`mutation { upsertRecipients(inputs: [{ id: "ann", name: "Eve" }]) { id } }`, undefined, foreign)
    assert.equal((await world.data(`{ recipient(id: "ann") { name } }`)).recipient.name, 'Ann')
  })

  it('has been tried with every query and mutation there is', () => {
    const tried = new Set([...Object.keys(nothing), ...Object.keys(refused), ...elsewhere])
    const fields = [schema.getQueryType()!, schema.getMutationType()!].flatMap((type) => Object.keys(type.getFields()))
    assert.deepEqual(
      fields.filter((field) => !tried.has(field)),
      [],
    )
  })

  it('is held back by Postgres itself, whatever the statement forgets', async () => {
    const tables = [
      'intents',
      'notifications',
      'deliveries',
      'status_events',
      'inbox_items',
      'api_keys',
      'webhook_endpoints',
      'recipients',
      'dead_letters',
    ]
    for (const table of tables) {
      const [mine, theirs] = await inTransaction(world.api, async (trx) => {
        const count = async (tenant: string) => {
          await trx.query(`select set_config('carillon.tenant_id', $1, true)`, [tenant])
          return (await trx.query(`select count(*)::int from carillon.${table} where tenant_id = $1`, [world.tenant]))
            .rows[0].count
        }
        return [await count(world.tenant), await count(world.otherTenant)]
      })
      assert.ok(mine > 0, table)
      assert.equal(theirs, 0, table)
    }
    await assert.rejects(
      inTransaction(world.api, async (trx) => {
        await trx.query(`select set_config('carillon.tenant_id', $1, true)`, [world.otherTenant])
        await trx.query(
          `insert into carillon.recipients (tenant_id, external_id, created_at, updated_at) values ($1, 'x', now(), now())`,
          [world.tenant],
        )
      }),
      /row-level security/,
    )
  })
})

describe('a scope', () => {
  const cases: [scope: 'send' | 'read' | 'manage', query: string][] = [
    ['send', `mutation { sendNotification(input: { type: "a", recipient: { id: "a" }, subject: "a" }) { id } }`],
    ['send', `mutation { sendNotifications(inputs: []) { status } }`],
    ['send', `mutation { publishEvent(input: { id: "1", type: "a", data: {} }) { status } }`],
    ['send', `mutation { publishEvents(inputs: []) { status } }`],
    ['send', refused.cancelNotification!],
    ['read', nothing.notification![0]],
    ['read', nothing.notifications![0]],
    ['read', nothing.inbox![0]],
    ['read', nothing.inboxCounters![0]],
    ['read', `{ capturedMessages { id } }`],
    ['read', refused.markNotificationRead!],
    ['read', refused.markNotificationSeen!],
    ['read', refused.archiveNotification!],
    ['read', nothing.markAllNotificationsRead![0]],
    ['manage', nothing.recipient![0]],
    ['manage', nothing.webhookEndpoints![0]],
    ['manage', nothing.deadLetters![0]],
    ['manage', `mutation { upsertRecipients(inputs: []) { id } }`],
    ['manage', `mutation { createWebhookEndpoint(url: "https://a.b") { id } }`],
    ['manage', refused.rotateWebhookEndpointSecret!],
    ['manage', refused.enableWebhookEndpoint!],
  ]
  for (const [scope, query] of cases) {
    it(`"${scope}" is needed for ${/(\w+)[ ({]*(?:\(|\{)/.exec(query.replace(/^(mutation )?\{ /, ''))?.[1]}`, async () => {
      const others = (['send', 'read', 'manage'] as const).filter((one) => one !== scope)
      const { key } = await world.newKey(others)
      const { extensions, message } = await world.error(query, undefined, { key })
      assert.equal(extensions.code, 'FORBIDDEN')
      assert.match(message, new RegExp(scope))
    })
  }
})
