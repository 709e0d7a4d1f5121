import pg from 'pg'

const settleStatement = 'settle/settle_attempts'

type Query = (this: pg.Client, ...args: unknown[]) => unknown
type Done = (result: pg.QueryResult<{ id: string }>) => void

/**
 * Tells which deliveries were settled, when Postgres has acknowledged their commit: the one that follows the settling
 * statement where it runs in a transaction, and else the statement itself. The workers have no hook for this moment, so
 * every client of this process is watched; if the statement is ever named otherwise nothing is settled here, and the
 * reconciliation fails. Call it once, before connections are opened.
 */
export function watchCommits(onSettled: (rows: readonly { id: string }[]) => void): void {
  const query = pg.Client.prototype.query as Query
  const open = new WeakMap<pg.Client, { id: string }[]>()

  function watched(this: pg.Client, ...args: unknown[]): unknown {
    const [statement] = args
    if (isNamed(statement, settleStatement)) {
      return whenDone(this, args, ({ rows }) => {
        const settled = open.get(this)
        if (!settled) onSettled(rows)
        else for (const row of rows) settled.push(row)
      })
    }
    if (typeof statement !== 'string') return query.apply(this, args)
    if (statement.startsWith('begin')) open.set(this, [])
    else if (statement.startsWith('rollback')) open.delete(this)
    else if (statement.startsWith('commit')) {
      return whenDone(this, args, () => {
        // Read now and not when it was asked for: the settling statement may have been under way before it.
        const settled = open.get(this)
        open.delete(this)
        if (settled && settled.length > 0) onSettled(settled)
      })
    }
    return query.apply(this, args)
  }

  /** A pool's own query gives a callback, a transaction awaits. Failures are told to whoever asked, and not here. */
  function whenDone(client: pg.Client, args: unknown[], done: Done): unknown {
    const callback = args.at(-1)
    if (typeof callback !== 'function') {
      const answer = query.apply(client, args) as Promise<pg.QueryResult<{ id: string }>>
      void answer.then(done, () => {})
      return answer
    }
    const hearing = (error: Error | null, result: pg.QueryResult<{ id: string }>) => {
      if (!error) done(result)
      callback(error, result)
    }
    return query.apply(client, [...args.slice(0, -1), hearing])
  }

  pg.Client.prototype.query = watched as typeof pg.Client.prototype.query
}

const isNamed = (statement: unknown, name: string): boolean =>
  typeof statement === 'object' && statement !== null && 'name' in statement && statement.name === name
