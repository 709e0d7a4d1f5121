import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { schema } from '../../src/api/graphql/schema.ts'
import { inTransaction } from '../../src/platform/db.ts'
import { createApiWorld } from './api-world.ts'
import { recurrence, ruleInput, seedTenant, silenceInput } from './tenant-seed.ts'

const world = await createApiWorld()
const ours = await seedTenant(world)
const { notification: id, intent } = ours

const foreign = { key: world.otherKey }
const nothing: Record<string, [query: string, expected: object]> = {
  notification: [`{ notification(id: "${id}") { id } }`, { notification: null }],
  notifications: [`{ notifications { nodes { id } } }`, { notifications: { nodes: [] } }],
  'notifications of an intent': [
    `{ notifications(filters: { intentId: "${intent}" }) { nodes { id } } }`,
    { notifications: { nodes: [] } },
  ],
  inbox: [`{ inbox(userId: "ann") { nodes { id } } }`, { inbox: { nodes: [] } }],
  inboxCounters: [`{ inboxCounters(userId: "ann") { unread unseen } }`, { inboxCounters: { unread: 0, unseen: 0 } }],
  recipient: [`{ recipient(id: "ann") { id } }`, { recipient: null }],
  recipients: [`{ recipients { nodes { id } } }`, { recipients: { nodes: [] } }],
  categories: [`{ categories { name } }`, { categories: [] }],
  category: [`{ category(name: "news") { name } }`, { category: null }],
  consents: [`{ consents(userId: "ann") { category } }`, { consents: [] }],
  suppressions: [`{ suppressions { nodes { address } } }`, { suppressions: { nodes: [] } }],
  preferenceDefaults: [`{ preferenceDefaults { version own } }`, { preferenceDefaults: { version: 0, own: {} } }],
  preferenceHistory: [`{ preferenceHistory(userId: "ann") { version } }`, { preferenceHistory: [] }],
  'preferenceHistory of the defaults': [`{ preferenceHistory { version } }`, { preferenceHistory: [] }],
  userNotificationPreferences: [
    `{ userNotificationPreferences(userId: "ann") { version own } }`,
    { userNotificationPreferences: { version: 0, own: {} } },
  ],
  notificationRule: [`{ notificationRule(id: "${ours.rule}") { id } }`, { notificationRule: null }],
  notificationRules: [`{ notificationRules { nodes { id } } }`, { notificationRules: { nodes: [] } }],
  notificationRuleVersions: [
    `{ notificationRuleVersions(id: "${ours.rule}") { id } }`,
    { notificationRuleVersions: [] },
  ],
  rateLimits: [`{ rateLimits { id } }`, { rateLimits: [] }],
  limitUsage: [`{ limitUsage(userId: "ann") { used } }`, { limitUsage: [] }],
  digests: [`{ digests(recipientId: "ann") { id } }`, { digests: [] }],
  schedule: [`{ schedule(id: "${ours.schedule}") { id } }`, { schedule: null }],
  schedules: [`{ schedules { id } }`, { schedules: [] }],
  silences: [`{ silences { id } }`, { silences: [] }],
  inhibitions: [`{ inhibitions { id } }`, { inhibitions: [] }],
  openAlerts: [`{ openAlerts(inhibitionId: "${ours.inhibition}") { key } }`, { openAlerts: [] }],
  explain: [`{ explain(notificationId: "${id}") { outcome } }`, { explain: { outcome: 'unknown' } }],
  'explain of an intent': [
    `{ explain(intentId: "${intent}", recipientId: "ann") { outcome } }`,
    { explain: { outcome: 'unknown' } },
  ],
  dryRun: [
    `{ dryRun(input: { since: "2020-01-01T00:00:00Z", rule: ${ruleInput} }) { events recipients } }`,
    { dryRun: { events: 0, recipients: 0 } },
  ],
  webhookEndpoints: [`{ webhookEndpoints { id } }`, { webhookEndpoints: [] }],
  deadLetters: [`{ deadLetters { nodes { deliveryId } } }`, { deadLetters: { nodes: [] } }],
  deleteRecipients: [`mutation { deleteRecipients(ids: ["ann"]) }`, { deleteRecipients: [] }],
  deleteCategory: [`mutation { deleteCategory(name: "news") }`, { deleteCategory: false }],
  removeSuppression: [
    `mutation { removeSuppression(channel: EMAIL, address: "bob@example.com") }`,
    { removeSuppression: false },
  ],
  closeAlert: [`mutation { closeAlert(inhibitionId: "${ours.inhibition}", key: "[]") }`, { closeAlert: false }],
  replayDeadLetters: [`mutation { replayDeadLetters(ids: ["${id}"]) }`, { replayDeadLetters: [] }],
  markAllNotificationsRead: [`mutation { markAllNotificationsRead(userId: "ann") }`, { markAllNotificationsRead: 0 }],
}

const scheduleInput = `{ name: "weekly", recurrence: ${recurrence}, send: { type: "a", recipient: { id: "ann" }, subject: "a" } }`

const refused: Record<string, string> = {
  cancelNotification: `mutation { cancelNotification(id: "${id}") }`,
  cancelIntent: `mutation { cancelIntent(id: "${intent}") }`,
  addContactPoint: `mutation { addContactPoint(recipientId: "ann", contactPoint: { channel: SMS, address: "+491" }) { id } }`,
  verifyContactPoint: `mutation { verifyContactPoint(recipientId: "ann", channel: EMAIL, address: "ann@example.com") { id } }`,
  invalidateContactPoint: `mutation {
    invalidateContactPoint(recipientId: "ann", channel: EMAIL, address: "ann@example.com", reason: "x") { id } }`,
  removeContactPoint: `mutation { removeContactPoint(recipientId: "ann", channel: EMAIL, address: "ann@example.com") { id } }`,
  updateNotificationRule: `mutation { updateNotificationRule(id: "${ours.rule}", input: ${ruleInput}) { id } }`,
  deleteNotificationRule: `mutation { deleteNotificationRule(id: "${ours.rule}") }`,
  updateRateLimit: `mutation {
    updateRateLimit(id: "${ours.limit}", input: { name: "m", scope: USER, max: 1, windowSeconds: 60 }) { id } }`,
  deleteRateLimit: `mutation { deleteRateLimit(id: "${ours.limit}") }`,
  closeDigest: `mutation { closeDigest(id: "${ours.digest}") { id } }`,
  updateSchedule: `mutation { updateSchedule(id: "${ours.schedule}", input: ${scheduleInput}) { id } }`,
  enableSchedule: `mutation { enableSchedule(id: "${ours.schedule}", enabled: false) { id } }`,
  deleteSchedule: `mutation { deleteSchedule(id: "${ours.schedule}") }`,
  updateSilence: `mutation { updateSilence(id: "${ours.silence}", input: ${silenceInput}) { id } }`,
  endSilence: `mutation { endSilence(id: "${ours.silence}") { id } }`,
  updateInhibition: `mutation {
    updateInhibition(id: "${ours.inhibition}", input: { name: "x", source: "true", target: "true" }) { id } }`,
  deleteInhibition: `mutation { deleteInhibition(id: "${ours.inhibition}") }`,
  markNotificationRead: `mutation { markNotificationRead(id: "${id}") { id } }`,
  markNotificationSeen: `mutation { markNotificationSeen(id: "${id}") { id } }`,
  archiveNotification: `mutation { archiveNotification(id: "${id}") { id } }`,
  rotateWebhookEndpointSecret: `mutation { rotateWebhookEndpointSecret(id: "${ours.endpoint}") { id } }`,
  enableWebhookEndpoint: `mutation { enableWebhookEndpoint(id: "${ours.endpoint}") { id } }`,
  updateWebhookEndpoint: `mutation { updateWebhookEndpoint(id: "${ours.endpoint}", input: { description: "mine" }) { id } }`,
  deleteWebhookEndpoint: `mutation { deleteWebhookEndpoint(id: "${ours.endpoint}") }`,
  testWebhookEndpoint: `mutation { testWebhookEndpoint(id: "${ours.endpoint}") { id } }`,
}

/** What makes something of the tenant's own, of the same name or about the same person as ours. */
const ofItsOwn: Record<string, string> = {
  sendNotification: `mutation { sendNotification(input: { type: "a", recipient: { id: "ann", email: "a@b.c" }, subject: "a" }) { id } }`,
  sendNotifications: `mutation { sendNotifications(inputs: [{ type: "a", recipient: { id: "ann", email: "a@b.c" }, subject: "a" }]) { status } }`,
  publishEvent: `mutation { publishEvent(input: { id: "e-1", type: "shop.order.paid", data: { total: 1 } }) { status } }`,
  publishEvents: `mutation { publishEvents(inputs: [{ id: "e-1", type: "shop.order.paid", data: { total: 1 } }]) { status } }`,
  upsertRecipients: `mutation { upsertRecipients(inputs: [{ id: "ann", name: "Eve" }]) { id } }`,
  upsertCategory: `mutation { upsertCategory(input: { name: "news", required: true }) { name } }`,
  updateUserPreferences: `mutation { updateUserPreferences(userId: "ann", input: { enabled: false }) { version } }`,
  updatePreferenceDefaults: `mutation { updatePreferenceDefaults(input: { enabled: false }) { version } }`,
  recordConsent: `mutation { recordConsent(input: { userId: "ann", category: "news", source: "x" }) { category } }`,
  withdrawConsent: `mutation { withdrawConsent(input: { userId: "ann", category: "news", source: "x" }) { category } }`,
  addSuppressions: `mutation { addSuppressions(inputs: [{ channel: EMAIL, address: "ann@example.com" }]) { address } }`,
  createNotificationRule: `mutation { createNotificationRule(input: ${ruleInput}) { id } }`,
  createRateLimit: `mutation { createRateLimit(input: { name: "mail", scope: USER, max: 1, windowSeconds: 60 }) { id } }`,
  createSchedule: `mutation { createSchedule(input: ${scheduleInput}) { id } }`,
  createSilence: `mutation { createSilence(input: ${silenceInput}) { id } }`,
  createInhibition: `mutation { createInhibition(input: { name: "hosts", source: "true", target: "true" }) { id } }`,
  createWebhookEndpoint: `mutation { createWebhookEndpoint(url: "https://example.com/hook") { id } }`,
}

/** It names nothing of anybody's. */
const elsewhere = ['capturedMessages']

/** Every row of ours, in every table that has tenants. */
async function ourRows(): Promise<Record<string, string>> {
  const digests: Record<string, string> = {}
  for (const { table } of await tenantTables()) {
    const [row] = await world.rows<{ digest: string | null }>(
      `select md5(string_agg(t::text, '|' order by t::text)) as digest from carillon.${table} t where t.tenant_id = $1`,
      [world.tenant],
    )
    if (row!.digest) digests[table] = row!.digest
  }
  return digests
}

/** Not the partitions: their parents hold the same rows. */
const tenantTables = () =>
  world.rows<{ table: string; readable: boolean }>(
    `select c.relname as table, has_table_privilege('carillon_api', c.oid, 'select') as readable from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where c.relnamespace = 'carillon'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition order by 1`,
  )

const before = await ourRows()

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

  for (const [name, query] of Object.entries(ofItsOwn)) {
    it(`touches nothing of ours by ${name}`, async () => {
      await world.data(query, undefined, foreign)
    })
  }

  it('has not changed a row of ours by any of these', async () => {
    assert.deepEqual(await ourRows(), before)
  })

  it('would have seen something by each query, had it been ours', async () => {
    for (const [name, [query, expected]] of Object.entries(nothing)) {
      if (query.startsWith('{')) assert.notDeepEqual(await world.data(query), expected, name)
    }
  })

  it('has been tried with every query and mutation there is', () => {
    const tried = new Set([...Object.keys(nothing), ...Object.keys(refused), ...Object.keys(ofItsOwn), ...elsewhere])
    const fields = [schema.getQueryType()!, schema.getMutationType()!].flatMap((type) => Object.keys(type.getFields()))
    assert.deepEqual(
      fields.filter((field) => !tried.has(field)),
      [],
    )
  })

  it('is held back by Postgres itself, whatever the statement forgets', async () => {
    const tables = (await tenantTables()).filter(({ readable }) => readable).map(({ table }) => table)
    const ours = new Set(Object.keys(await ourRows()))
    assert.ok(tables.filter((table) => ours.has(table)).length >= 30, 'most tables have something of ours')
    for (const table of tables) {
      const [mine, theirs] = await inTransaction(world.api, async (trx) => {
        const count = async (tenant: string) => {
          await trx.query(`select set_config('carillon.tenant_id', $1, true)`, [tenant])
          return (await trx.query(`select count(*)::int from carillon.${table} where tenant_id = $1`, [world.tenant]))
            .rows[0].count
        }
        return [await count(world.tenant), await count(world.otherTenant)]
      })
      assert.equal(mine > 0, ours.has(table), table)
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
    ['send', refused.cancelIntent!],
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
