import pg from 'pg'
import type { Logger } from 'pino'

/** The topic that says: there are new status events. */
export const statusEventsTopic = 'status_events'

/** What a wake-up says when it may concern any topic. */
const everyTopic = '*'
const maxPayloadBytes = 7_900 // Postgres refuses 8,000

export interface Wake {
  /** Call it after a commit. Listeners of this process hear at once, other processes by a NOTIFY shared with other rings. */
  ring(topic: string): void
  /** A wake-up may come without cause, and may fail to come: look for work, and poll behind it. Gives the way to stop. */
  on(topic: string, listener: () => void): () => void
  close(): Promise<void>
}

export interface WakeOptions {
  databaseUrl: string
  channel?: string
  /** The least time between two NOTIFYs of this process: they all take one lock of the whole database. */
  minIntervalMs?: number
  applicationName?: string
  logger: Pick<Logger, 'info' | 'warn'>
}

/**
 * Wake-ups between processes: one connection that listens and notifies. Without it, behind a pooler that cannot LISTEN
 * or while Postgres is away, rings still reach this process and the others poll; after it comes back everybody is woken
 * once.
 */
export function createWake(options: WakeOptions): Wake {
  const channel = options.channel ?? 'carillon_wake'
  const minIntervalMs = options.minIntervalMs ?? 10
  const listeners = new Map<string, Set<() => void>>()
  const pending = new Set<string>()
  let client: pg.Client | undefined
  let listening = false
  let lastSentMs = Number.NEGATIVE_INFINITY
  let sending = false
  let sendTimer: NodeJS.Timeout | undefined
  let retryTimer: NodeJS.Timeout | undefined
  let retryMs = 100
  let closed = false

  function tell(topic: string): void {
    const told = topic === everyTopic ? [...listeners.values()] : [listeners.get(topic) ?? []]
    for (const group of told) for (const listener of group) listener()
  }

  async function connect(): Promise<void> {
    const fresh = new pg.Client({
      connectionString: options.databaseUrl,
      application_name: options.applicationName ?? 'carillon-wake',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      options: '-c idle_session_timeout=0',
    })
    client = fresh
    fresh.on('error', (error) => lose(fresh, error))
    fresh.on('end', () => lose(fresh, new Error('the connection ended')))
    fresh.on('notification', (notice) => {
      if (notice.channel !== channel || notice.processId === backendOf(fresh)) return // our own ring was heard already
      for (const topic of (notice.payload ?? everyTopic).split(',')) tell(topic)
    })
    try {
      await fresh.connect()
      await fresh.query(`listen ${pg.escapeIdentifier(channel)}`)
    } catch (error) {
      lose(fresh, error as Error)
      return
    }
    if (closed || client !== fresh) return
    if (retryMs > 100) options.logger.info({ channel }, 'wake-ups between processes are back')
    retryMs = 100
    listening = true
    tell(everyTopic) // what was rung meanwhile went unheard
    if (pending.size > 0) arm()
  }

  function lose(lost: pg.Client, error: Error): void {
    if (client !== lost) return
    client = undefined
    listening = false
    void lost.end().catch(() => {}) // it is gone already; there is nothing left to end
    if (closed) return
    if (retryMs === 100) options.logger.warn({ err: error, channel }, 'no wake-ups between processes; polling instead')
    retryTimer = setTimeout(() => void connect(), retryMs * (0.5 + Math.random()))
    retryMs = Math.min(retryMs * 2, 5_000)
  }

  function arm(): void {
    sendTimer ??= setTimeout(send, Math.max(0, lastSentMs + minIntervalMs - performance.now()))
  }

  function send(): void {
    sendTimer = undefined
    if (!client || !listening || sending) return // kept, and sent when the connection is back, or free
    const topics = [...pending].join(',')
    pending.clear()
    lastSentMs = performance.now()
    const payload = Buffer.byteLength(topics) > maxPayloadBytes ? everyTopic : topics
    const sender = client
    sending = true
    sender
      .query({ name: 'wake', text: 'select pg_notify($1, $2)', values: [channel, payload] })
      .catch((error: Error) => lose(sender, error))
      .finally(() => {
        sending = false
        if (pending.size > 0) arm()
      })
  }

  void connect()
  return {
    ring(topic) {
      tell(topic)
      if (closed) return
      pending.add(topic)
      arm()
    },
    on(topic, listener) {
      const group = listeners.get(topic) ?? new Set()
      listeners.set(topic, group.add(listener))
      return () => {
        group.delete(listener)
        if (group.size === 0 && listeners.get(topic) === group) listeners.delete(topic)
      }
    },
    async close() {
      clearTimeout(retryTimer)
      if (sendTimer) {
        clearTimeout(sendTimer)
        send()
      }
      closed = true
      listeners.clear()
      await client?.end().catch(() => {}) // a connection that is down is closed enough
    },
  }
}

/** pg knows the number of its server process, and its types do not say so. */
function backendOf(client: pg.Client): number | undefined {
  return (client as unknown as { processID?: number }).processID
}
