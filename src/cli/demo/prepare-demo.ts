import { randomBytes, timingSafeEqual } from 'node:crypto'
import type pg from 'pg'
import { apiKeyScopes, createApiKey, findApiKey, hashApiKeySecret, parseApiKey } from '../../store/api-keys.ts'
import { hasIntents, keepEndpoint } from '../../store/demo.ts'
import { findRecipients, type RecipientProfile, upsertRecipients } from '../../store/recipients.ts'
import { upsertTemplates } from '../../store/sample-templates.ts'
import { createTenant } from '../../store/tenants.ts'
import { readTemplateFolders } from '../templates/load-samples.ts'

/** The same in every development database, so that notes and scripts can name it. */
export const demoTenantId = '01900000-0000-7000-8000-000000000001'

const onCall = 'on-call'

const people: Omit<RecipientProfile, 'contactPoints'>[] = [
  {
    externalId: 'alice',
    name: 'Alice',
    locale: 'en',
    timezone: 'Europe/Stockholm',
    roles: ['author'],
    groups: ['architecture'],
  },
  {
    externalId: onCall,
    name: 'Olof on call',
    locale: 'en',
    timezone: 'UTC',
    roles: ['operator'],
    groups: ['platform'],
  },
  { externalId: 'carol', name: 'Carol', locale: 'en', timezone: 'Europe/Berlin', roles: ['customer'], groups: [] },
]

export interface Demo {
  apiKey: string
  templates: string[]
  recipients: number
  /** Nothing was ever sent here. */
  isFirst: boolean
  /** What the demo's webhook is signed with. */
  webhookSecrets: string[]
}

/** Where the demo's webhook went when the service last ran. */
export async function lastWebhookUrl(pool: pg.Pool): Promise<string | undefined> {
  const [found] = await findRecipients(pool, demoTenantId, [onCall])
  return found?.contact_points.find(({ channel }) => channel === 'webhook')?.address
}

/**
 * Makes sure of the demo tenant, its API key, its people, the sample templates and the webhook's endpoint. What people
 * of the demo have is put back at each start; everything else of the tenant is left alone. Needs carillon_worker.
 */
export async function prepareDemo(
  pool: pg.Pool,
  on: { knownApiKey?: string; webhookUrl: string; now: Date },
): Promise<Demo> {
  const { now } = on
  await createTenant(pool, { id: demoTenantId, name: 'Demo', now })
  const templates = await readTemplateFolders()
  await upsertTemplates(pool, demoTenantId, templates, now)
  await upsertRecipients(
    pool,
    demoTenantId,
    people.map((person) => withAddresses(person, on.webhookUrl)),
    now,
  )
  const webhookSecrets = await keepEndpoint(pool, demoTenantId, {
    url: on.webhookUrl,
    secret: `whsec_${randomBytes(32).toString('base64')}`,
    now,
  })
  const known = on.knownApiKey !== undefined && (await isValid(pool, on.knownApiKey)) ? on.knownApiKey : undefined
  return {
    apiKey: known ?? (await newKey(pool, now)),
    templates: templates.map(({ name }) => name),
    recipients: people.length,
    isFirst: !(await hasIntents(pool, demoTenantId)),
    webhookSecrets,
  }
}

function withAddresses(person: Omit<RecipientProfile, 'contactPoints'>, webhookUrl: string): RecipientProfile {
  const email = { channel: 'email' as const, address: `${person.externalId}@example.com` }
  const other = person.externalId === onCall ? { channel: 'webhook' as const, address: webhookUrl } : undefined
  const slack = { channel: 'slack' as const, address: `U0${person.externalId.toUpperCase()}` }
  return { ...person, contactPoints: [email, other ?? slack] }
}

async function newKey(pool: pg.Pool, now: Date): Promise<string> {
  const made = await createApiKey(pool, { tenantId: demoTenantId, name: 'development', scopes: apiKeyScopes, now })
  return made.key
}

async function isValid(pool: pg.Pool, key: string): Promise<boolean> {
  const parts = parseApiKey(key)
  if (parts?.tenantId !== demoTenantId) return false
  const row = await findApiKey(pool, parts.tenantId, parts.keyId)
  return row?.revoked_at === null && timingSafeEqual(row.secret_hash, hashApiKeySecret(parts.secret))
}
