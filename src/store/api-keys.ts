import { hash, randomBytes, randomUUID } from 'node:crypto'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export const apiKeyScopes = ['send', 'read', 'manage'] as const

export type ApiKeyScope = (typeof apiKeyScopes)[number]

export interface ApiKeyRow {
  id: string
  name: string
  secret_hash: Buffer
  scopes: ApiKeyScope[]
  revoked_at: Date | null
}

/** What a key says of itself: whose it is, which one, and the secret that proves it. */
export interface ApiKeyParts {
  tenantId: string
  keyId: string
  secret: string
}

const keyPattern = /^ck_([0-9a-f]{32})_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$/

/** Takes a key apart; undefined where it is not one. */
export function parseApiKey(key: string): ApiKeyParts | undefined {
  const match = keyPattern.exec(key)
  return match ? { tenantId: withDashes(match[1]!), keyId: withDashes(match[2]!), secret: match[3]! } : undefined
}

export function hashApiKeySecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}

function withDashes(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const createSql: Statement = {
  name: 'api_keys_create',
  text: `insert into carillon.api_keys (tenant_id, id, name, secret_hash, scopes, created_at)
  values ($1::uuid, $2::uuid, $3::text, $4::bytea, $5::text[], $6::timestamptz)`,
}

/** Makes a key. The key itself is in this answer and nowhere else: only the hash of its secret is kept. */
export async function createApiKey(
  on: Queryable,
  options: { tenantId: string; name: string; scopes: readonly ApiKeyScope[]; now: Date },
): Promise<{ id: string; key: string }> {
  const id = randomUUID()
  const secret = randomBytes(32).toString('base64url')
  await run(on, createSql, [options.tenantId, id, options.name, hashApiKeySecret(secret), options.scopes, options.now])
  return { id, key: `ck_${options.tenantId.replaceAll('-', '')}_${id.replaceAll('-', '')}_${secret}` }
}

const revokeSql: Statement = {
  name: 'api_keys_revoke',
  text: `update carillon.api_keys k set revoked_at = coalesce(k.revoked_at, $3::timestamptz)
  where k.tenant_id = $1::uuid and k.id = $2::uuid returning k.id`,
}

/** Revokes a key; processes that know it follow within five seconds. False: there is no such key. */
export async function revokeApiKey(on: Queryable, tenantId: string, keyId: string, now: Date): Promise<boolean> {
  return (await run(on, revokeSql, [tenantId, keyId, now])).length > 0
}

const findSql: Statement = {
  name: 'api_keys_find',
  text: `select k.id, k.name, k.secret_hash, k.scopes, k.revoked_at from carillon.api_keys k
  where k.tenant_id = $1::uuid and k.id = $2::uuid`,
}

export async function findApiKey(on: Queryable, tenantId: string, keyId: string): Promise<ApiKeyRow | undefined> {
  const [row] = await run<ApiKeyRow & Record<string, unknown>>(on, findSql, [tenantId, keyId])
  return row
}
