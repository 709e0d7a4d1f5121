import type pg from 'pg'
import { intentIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { Clock } from '../../platform/clock.ts'
import { findInboxItems, type Horizon, readHorizon } from '../../store/inbox-items.ts'
import { findIntents } from '../../store/intents.ts'
import { createBatch, createTenantReader } from './batch.ts'
import { createLoaders, findViews, type Loaders } from './loaders.ts'
import type { NotificationView } from './notification-view.ts'

/** An event that may have brought an item into an inbox. */
export interface Arrival {
  notificationId: string
  recipientId: string
  /** The transaction of the event. */
  xid: string
}

/**
 * Reads that a tenant's subscriptions share: what one turn of the live feed makes any number of them ask for is one
 * transaction, with a constant number of statements.
 */
export interface LiveReads {
  load: Loaders
  /** What is committed now; asked of the database after the call. */
  horizon(): Promise<Horizon>
  /** The notification whose inbox item was written by the event's transaction; undefined: it wrote none. */
  arrived(arrival: Arrival): Promise<NotificationView | undefined>
}

/** Gives the reads of each tenant; they keep nothing that was read. */
export function createLiveReads(pool: pg.Pool, clock: Clock): (tenantId: string) => LiveReads {
  const tenants = new Map<string, LiveReads>()

  function create(tenantId: string): LiveReads {
    const read = createTenantReader(pool, tenantId)
    const horizon = createBatch<string, Horizon>(
      (name) => name,
      async ([name]) => new Map([[name!, await read(readHorizon)]]),
    )
    return {
      load: createLoaders(pool, tenantId, clock),
      horizon: async () => (await horizon('horizon'))!,
      arrived: createBatch(keyOf, (arrivals) => read((trx) => findArrived(trx, tenantId, arrivals, clock.now()))),
    }
  }

  return (tenantId) => {
    const reads = tenants.get(tenantId) ?? create(tenantId)
    tenants.set(tenantId, reads)
    return reads
  }
}

const keyOf = ({ notificationId, recipientId, xid }: Arrival) => `${notificationId} ${xid} ${recipientId}`

/** With what was said and the inbox item, which a subscriber to an inbox asks for as a rule: two statements here save two transactions. */
async function findArrived(
  trx: pg.PoolClient,
  tenantId: string,
  arrivals: readonly Arrival[],
  now: Date,
): Promise<Map<string, NotificationView>> {
  const wanted = new Set(arrivals.map(keyOf))
  const sought = arrivals.map(({ notificationId, recipientId }) => ({ id: notificationId, recipientId }))
  const items = (await findInboxItems(trx, tenantId, sought)).flatMap((item) => {
    const notificationId = notificationIdOf(item.id)
    const key = keyOf({ notificationId, recipientId: item.recipient_id, xid: item.xid })
    return wanted.has(key) ? [{ key, notificationId, item }] : []
  })
  if (items.length === 0) return new Map()
  const ids = items.map(({ notificationId }) => notificationId)
  const views = await findViews(trx, tenantId, ids, now)
  const intents = await findIntents(trx, tenantId, [...new Set(ids.map(intentIdOf))])
  const said = new Map(intents.map(({ id, payload }) => [id, payload]))
  const arrived = new Map<string, NotificationView>()
  for (const { key, notificationId, item } of items) {
    const view = views.get(notificationId)
    if (!view) continue
    view.inboxItem = Promise.resolve(item)
    view.said = Promise.resolve(said.get(intentIdOf(notificationId)))
    arrived.set(key, view)
  }
  return arrived
}
