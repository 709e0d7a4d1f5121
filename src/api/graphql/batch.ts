import type pg from 'pg'
import { asTenants } from '../../platform/db.ts'

/** Runs after the promises of this turn have settled, so that every field of a level has asked before. */
function afterThisTurn(work: () => void): void {
  void Promise.resolve().then(() => process.nextTick(work))
}

/** Reads of one turn share a transaction, and so one connection and one round of begin and commit. */
export function createTenantReader(pool: pg.Pool, tenantId: string) {
  type Work = (trx: pg.PoolClient) => Promise<void>
  let gathered: { work: Work; reject(error: unknown): void }[] = []

  function flush(): void {
    const works = gathered
    gathered = []
    asTenants(pool, [tenantId], async (trx) => {
      for (const { work } of works) await work(trx)
    }).catch((error: unknown) => {
      for (const { reject } of works) reject(error)
    })
  }

  return function read<T>(work: (trx: pg.PoolClient) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      gathered.push({ work: async (trx) => resolve(await work(trx)), reject })
      if (gathered.length === 1) afterThisTurn(flush)
    })
  }
}

/**
 * Gathers the keys that are asked for in one turn into one load. It keeps nothing afterwards: a subscription's context
 * lives long, and what it reads must be fresh.
 */
export function createBatch<Key, Value>(
  keyText: (key: Key) => string,
  load: (keys: Key[]) => Promise<Map<string, Value>>,
): (key: Key) => Promise<Value | undefined> {
  let gathered = new Map<string, Key>()
  let loading: Promise<Map<string, Value>> | undefined

  return async (key) => {
    const text = keyText(key)
    gathered.set(text, key)
    loading ??= new Promise((resolve, reject) => {
      afterThisTurn(() => {
        const keys = [...gathered.values()]
        gathered = new Map()
        loading = undefined
        load(keys).then(resolve, reject)
      })
    })
    return (await loading).get(text)
  }
}
