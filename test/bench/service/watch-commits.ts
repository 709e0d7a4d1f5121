import pg from 'pg'

const settleStatement = 'settle/settle_attempts'

interface SettleStatement {
  name: string
  values: readonly unknown[]
}
type Query = (this: pg.Client, ...args: unknown[]) => unknown
type Result = pg.QueryResult<{ id?: string; only_ids?: string[] | null }>
type Done = (result: Result) => void

/**
 * Tells which deliveries were settled, when Postgres has acknowledged their commit: the one that follows the settling
 * statement where it runs in a transaction, and else the statement itself. The workers have no hook for this moment, so
 * every client of this process is watched; if the statement is ever named otherwise nothing is settled here, and the
 * reconciliation fails. Call it once, before connections are opened.
 */
export function watchCommits(onSettled: (ids: readonly string[]) => void): void {
  const query = pg.Client.prototype.query as Query
  const open = new WeakMap<pg.Client, string[]>()

  function watched(this: pg.Client, ...args: unknown[]): unknown {
    const [statement] = args
    if (isSettling(statement)) {
      return whenDone(this, args, (result) => {
        const ids = settledIds(statement, result)
        const settled = open.get(this)
        if (!settled) onSettled(ids)
        else for (const id of ids) settled.push(id)
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
      const answer = query.apply(client, args) as Promise<Result>
      void answer.then(done, () => {})
      return answer
    }
    const hearing = (error: Error | null, result: Result) => {
      if (!error) done(result)
      callback(error, result)
    }
    return query.apply(client, [...args.slice(0, -1), hearing])
  }

  pg.Client.prototype.query = watched as typeof pg.Client.prototype.query
}

const isSettling = (statement: unknown): statement is SettleStatement =>
  typeof statement === 'object' && statement !== null && 'name' in statement && statement.name === settleStatement

/** The rows name what was settled; or one row does where it is not all, and else all are meant that were asked for. */
function settledIds({ values }: SettleStatement, { rows }: Result): readonly string[] {
  const [first] = rows
  if (!first || first.only_ids === undefined) return rows.flatMap(({ id }) => id ?? [])
  return first.only_ids ?? firstList(values)
}

/** The delivery ids are the first list among the parameters: an array, or one written out for Postgres. */
function firstList(values: readonly unknown[]): readonly string[] {
  for (const value of values) {
    if (Array.isArray(value)) return value as string[]
    if (typeof value === 'string' && value.startsWith('{')) return value.slice(1, -1).split(',')
  }
  return []
}
