import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { undefinedCategory } from '../../src/domain/category.ts'
import type { NewLimit } from '../../src/domain/limits/limit-rules.ts'
import { upsertCategory } from '../../src/store/categories.ts'
import { createLimit } from '../../src/store/limits.ts'
import { type RuleDefinition, saveRules } from '../../src/store/rules.ts'
import { benchTemplate, eventType, recipientCount } from './load/load-item.ts'

const category = 'transactional'
const manyLimits = 100
const dayMs = 86_400_000

/** So high that nothing is held back: counted and compared is everything even so. */
const limits: NewLimit[] = [
  { name: 'of a person', scope: 'user', channel: 'email', max: 1_000, window: { seconds: 3_600 }, allowCritical: true },
  { name: 'of a kind', scope: 'user', category, max: 5_000, window: { seconds: 86_400 }, allowCritical: true },
  { name: 'of all', scope: 'tenant', max: 100_000_000, window: { seconds: 3_600 }, allowCritical: true },
]

const peopleSql = `insert into carillon.recipients (tenant_id, external_id, name, locale, timezone, created_at, updated_at)
  select $1, 'customer-' || n, 'Ann Bell', 'en', 'Europe/Berlin', now(), now() from generate_series(0, $2 - 1) n`
const addressesSql = `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at)
  select $1, 'customer-' || n, 'email', 'customer-' || n || '@example.com', now() from generate_series(0, $2 - 1) n`
const preferencesSql = `insert into carillon.preferences (tenant_id, recipient_id, version, document, updated_at, updated_by)
  select $1, 'customer-' || n, 1, $3::jsonb, now(), 'bench' from generate_series(0, $2 - 1) n`

/** All that a tenant can set, and all of it lets the load through: everybody has preferences, with quiet hours at another time. */
export async function seedDecisions(client: pg.Client, tenantId: string, now: Date): Promise<void> {
  await upsertCategory(client, tenantId, { ...undefinedCategory(category), minPriority: 0 }, now)
  for (const limit of limits) await createLimit(client, tenantId, randomUUID(), limit, manyLimits, now)
  const rules = Array.from({ length: 100 }, (_, place) => ruleOf(place))
  await saveRules(client, tenantId, rules, 'bench', now)
  await client.query(peopleSql, [tenantId, recipientCount])
  await client.query(addressesSql, [tenantId, recipientCount])
  await client.query(preferencesSql, [tenantId, recipientCount, JSON.stringify(preferencesAt(now))])
  for (const table of ['recipients', 'contact_points', 'preferences']) await client.query(`analyze carillon.${table}`)
}

function preferencesAt(now: Date) {
  const hour = (hours: number) => new Date(now.getTime() + (hours / 24) * dayMs).toISOString().slice(11, 16)
  return {
    enabled: true,
    minPriority: 0,
    channels: { email: { enabled: true }, sms: { enabled: false } },
    categories: { [category]: { enabled: true, channels: ['email', 'push'] }, marketing: { enabled: false } },
    quietHours: { enabled: true, startTime: hour(9), endTime: hour(15), timezone: 'Etc/UTC', allowCritical: true },
  }
}

/** One of them is about what the load tells of. */
function ruleOf(place: number) {
  const isOurs = place === 50
  const definition: RuleDefinition = {
    eventPattern: isOurs
      ? 'event.data.carrier == "Penny Post" && size(event.data.items) > 1'
      : 'event.data.total > 100',
    eventTypes: [isOurs ? eventType : `shop.k${place}.*`],
    priority: 1,
    category,
    channels: ['email'],
    selector: { expression: 'event.data.customerId' },
    template: benchTemplate,
    templateVars: { customer: { cel: 'recipient.name' } },
  }
  return { id: randomUUID(), name: `rule ${place}`, definition, enabled: true }
}
