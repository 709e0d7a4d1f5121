import type pg from 'pg'
import type { Logger } from 'pino'
import type { CaptureMailbox } from '../../channels/capture/capture-mailbox.ts'
import type { Config } from '../../config/config.ts'
import type { Coalescer } from '../../pipeline/accept/coalescer.ts'
import type { Clock } from '../../platform/clock.ts'
import { asTenants } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import type { ApiKeyScope } from '../../store/api-keys.ts'
import type { Principal } from '../http/authenticate.ts'
import type { LiveFeed } from '../live-feed-port.ts'
import { fault } from './errors.ts'
import type { LiveReads } from './live-reads.ts'
import { createLoaders, type Loaders } from './loaders.ts'
import type { SubscriptionGate } from './subscription-gate.ts'

/** What resolvers lean on, one for the process. */
export interface ApiServices {
  pool: pg.Pool
  accept: Coalescer
  clock: Clock
  ids: IdSource
  logger: Logger
  feed: LiveFeed
  liveReads(tenantId: string): LiveReads
  config: Config
  subscriptions: SubscriptionGate
  mailbox?: Pick<CaptureMailbox, 'list' | 'get'>
  /** Tells the workers that a webhook endpoint was subscribed to status events. */
  onSubscribed(): void
}

/** Who asks, set by the transport before GraphQL begins. */
export interface Caller {
  principal: Principal
  /** Whether the key still stands; long-lived operations ask again. */
  stillStands(): Promise<boolean>
  /** The HTTP header, for requests that name no trace of their own. */
  traceparent?: string
}

export interface ApiContext extends Caller {
  services: ApiServices
  /** Of this operation; a subscription takes those that it shares with the tenant's others. */
  load: Loaders
}

export function createContext(services: ApiServices, caller: Caller): ApiContext {
  return {
    principal: caller.principal,
    stillStands: caller.stillStands,
    traceparent: caller.traceparent,
    services,
    load: createLoaders(services.pool, caller.principal.tenantId, services.clock),
  }
}

/** Refuses a caller whose key lacks the scope. The first line of every resolver of a root field. */
export function requireScope(context: ApiContext, scope: ApiKeyScope): void {
  if (!context.principal.scopes.has(scope)) {
    throw fault('FORBIDDEN', `this API key lacks the scope "${scope}"`)
  }
}

/** One transaction that sees the caller's tenant alone. */
export function asCaller<T>(context: ApiContext, work: (trx: pg.PoolClient) => Promise<T>): Promise<T> {
  return asTenants(context.services.pool, [context.principal.tenantId], work)
}
