/** A pool whose n-th statement is the last that its connection gets through, or does not. */
import type pg from 'pg'

export type Crash = 'before' | 'after'

/**
 * Counts the statements of every connection of `pool` (begin and commit too), and cuts the connection off at the n-th: `before`
 * it is sent, or `after` Postgres has done it and the answer is lost. Without n it only counts.
 */
export function failingPool(
  pool: pg.Pool,
  at?: number,
  crash: Crash = 'before',
): { pool: pg.Pool; statements(): number } {
  let count = 0
  const guarded = async (client: pg.PoolClient, run: () => Promise<unknown>): Promise<unknown> => {
    const isLast = ++count === at
    if (isLast && crash === 'before') await cut(client)
    const result = await run()
    if (!isLast || crash === 'before') return result
    await cut(client)
    throw lost()
  }
  const proxy = new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') {
        return async () => {
          const client = await target.connect()
          return new Proxy(client, {
            get(inner, key) {
              if (key === 'query') {
                return (...args: Parameters<pg.PoolClient['query']>) =>
                  guarded(inner, () => inner.query(...args) as unknown as Promise<unknown>)
              }
              const value = Reflect.get(inner, key)
              return typeof value === 'function' ? value.bind(inner) : value
            },
          })
        }
      }
      if (name === 'query') {
        return async (...args: Parameters<pg.PoolClient['query']>) => {
          const client = await target.connect()
          let failed: Error | undefined
          try {
            return await guarded(client, () => client.query(...args) as unknown as Promise<unknown>)
          } catch (error) {
            failed = error as Error
            throw error
          } finally {
            client.release(failed)
          }
        }
      }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { pool: proxy, statements: () => count }
}

const lost = () => Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' })

async function cut(client: pg.PoolClient): Promise<void> {
  client.on('error', () => {})
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
  stream.destroy()
  await new Promise((resolve) => setImmediate(resolve))
}
