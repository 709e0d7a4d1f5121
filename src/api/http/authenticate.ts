import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type pg from 'pg'
import type { Clock } from '../../platform/clock.ts'
import { asTenants } from '../../platform/db.ts'
import { type ApiKeyRow, type ApiKeyScope, findApiKey, hashApiKeySecret, parseApiKey } from '../../store/api-keys.ts'

/** Whom a request acts for, and what it may do. */
export interface Principal {
  tenantId: string
  keyId: string
  scopes: ReadonlySet<ApiKeyScope>
}

export interface Authenticator {
  /** undefined: no key, no such key, a wrong secret or a revoked key; callers learn no more than that. */
  authenticate(key: string | undefined): Principal | undefined | Promise<Principal | undefined>
}

const rememberedMs = 5_000
const mostRemembered = 10_000

interface Remembered {
  row: Pick<ApiKeyRow, 'secret_hash' | 'revoked_at'> | undefined
  principal: Principal
  untilMs: number
}

/**
 * Judges API keys. What a look-up found is kept for five seconds, so a revoked key is refused at most that much later;
 * concurrent requests with one key share one look-up. A request with a kept key is judged without a wait.
 */
export function createAuthenticator({ pool, clock }: { pool: pg.Pool; clock: Clock }): Authenticator {
  const remembered = new Map<string, Remembered>()
  const unknown = new Map<string, Remembered>() // apart, because callers can make up any number of them
  const underWay = new Map<string, Promise<Remembered>>()

  async function lookUp(tenantId: string, keyId: string): Promise<Remembered> {
    const row = await asTenants(pool, [tenantId], (trx) => findApiKey(trx, tenantId, keyId))
    const entry = {
      row,
      principal: { tenantId, keyId, scopes: new Set(row?.scopes) },
      untilMs: clock.now().getTime() + rememberedMs,
    }
    const name = `${tenantId}/${keyId}`
    ;(row ? unknown : remembered).delete(name)
    remember(row ? remembered : unknown, name, entry)
    return entry
  }

  function judge({ row, principal }: Remembered, secret: string): Principal | undefined {
    const matches = timingSafeEqual(hashApiKeySecret(secret), row?.secret_hash ?? Buffer.alloc(32))
    return matches && row && row.revoked_at === null ? principal : undefined
  }

  return {
    authenticate(key) {
      const parts = key === undefined ? undefined : parseApiKey(key)
      if (!parts) return undefined
      const { tenantId, keyId, secret } = parts
      const name = `${tenantId}/${keyId}`
      const known = remembered.get(name) ?? unknown.get(name)
      if (known && clock.now().getTime() < known.untilMs) return judge(known, secret)
      let looking = underWay.get(name)
      if (!looking) {
        looking = lookUp(tenantId, keyId).finally(() => underWay.delete(name))
        underWay.set(name, looking)
      }
      return looking.then((entry) => judge(entry, secret))
    },
  }
}

/** The oldest makes room. */
function remember(entries: Map<string, Remembered>, name: string, entry: Remembered): void {
  entries.delete(name)
  if (entries.size >= mostRemembered) entries.delete(entries.keys().next().value!)
  entries.set(name, entry)
}

/** The key of `Authorization: Bearer …` or `X-API-Key`. */
export function apiKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')
  if (bearer) return bearer[1]
  const header = headers['x-api-key']
  return typeof header === 'string' ? header : undefined
}
