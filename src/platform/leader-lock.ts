import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'

export interface Leadership {
  /** Aborted when the connection that holds the lock is gone: another process may lead already, so stop at once. */
  lost: AbortSignal
  /** Gives the lead to whoever waits. Safe to call again, and after it was lost. */
  release(): Promise<void>
}

export interface LeaderLock {
  /** Waits, for as long as it takes, until this process leads the lane. Rejects only when the signal is aborted. */
  acquire(lane: string, signal: AbortSignal): Promise<Leadership>
}

export interface LeaderLockOptions {
  databaseUrl: string
  applicationName?: string
  /** How often a standby tries, give or take a quarter. */
  retryMs?: number
  /** How often a leader makes sure of its connection; a silence of three times as long is a loss. */
  heartbeatMs?: number
  logger: Pick<Logger, 'info' | 'warn'>
}

/**
 * One leader a lane, by a session's advisory lock on a connection of its own. Killed with its host still up, a leader
 * loses the lock at once, because the kernel closes the socket; when its host vanishes, after about ten seconds, by the
 * server's keepalives. The leader notices a dead connection sooner than that by its heartbeat, but no lock can stop a
 * process that is frozen meanwhile: guard what the leader writes.
 */
export function createLeaderLock(options: LeaderLockOptions): LeaderLock {
  const retryMs = options.retryMs ?? 1_000
  const heartbeatMs = options.heartbeatMs ?? 1_000

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: options.databaseUrl,
      application_name: options.applicationName ?? 'carillon-leader',
      connectionTimeoutMillis: 5_000,
      query_timeout: heartbeatMs * 3,
      keepAlive: true,
      options:
        '-c idle_session_timeout=0 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=11000',
    })
    client.on('error', () => {}) // told by 'end', which always follows
    try {
      await client.connect()
      return client
    } catch (error) {
      await discard(client)
      throw error
    }
  }

  async function waitForLock(client: pg.Client, lane: string, signal: AbortSignal): Promise<void> {
    const key = `carillon.lane.${lane}`
    for (;;) {
      signal.throwIfAborted()
      const { rows } = await client.query<{ won: boolean }>({
        name: 'try_lead',
        text: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as won',
        values: [key],
      })
      if (rows[0]!.won) return
      await sleep(retryMs * (0.75 + Math.random() / 2), undefined, { signal })
    }
  }

  function lead(client: pg.Client): Leadership {
    const lost = new AbortController()
    let released = false
    const timer = setInterval(() => {
      client.query({ name: 'still_leading', text: 'select 1' }).catch(lose)
    }, heartbeatMs)
    client.once('end', () => lose(new Error('the connection ended')))

    function lose(cause: Error): void {
      clearInterval(timer)
      if (released || lost.signal.aborted) return
      lost.abort(new Error('the lead is lost', { cause }))
      void discard(client)
    }

    return {
      lost: lost.signal,
      async release() {
        released = true
        clearInterval(timer)
        await discard(client) // the lock ends with its session
      },
    }
  }

  return {
    async acquire(lane, signal) {
      let told = false
      for (;;) {
        signal.throwIfAborted()
        let client: pg.Client | undefined
        try {
          client = await connect()
          await waitForLock(client, lane, signal)
          return lead(client)
        } catch (error) {
          if (client) await discard(client)
          signal.throwIfAborted()
          if (!told) options.logger.warn({ err: error, lane }, 'cannot ask for the lead; trying again')
          told = true
          await sleep(retryMs * (0.75 + Math.random() / 2), undefined, { signal })
        }
      }
    },
  }
}

/** Says goodbye if the server still listens, and closes the socket if it does not. */
async function discard(client: pg.Client): Promise<void> {
  const stream = (client as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream
  const deadline = setTimeout(() => stream?.destroy(), 500)
  await client.end().catch(() => {}) // broken already: what is left is the socket
  clearTimeout(deadline)
  stream?.destroy()
}
