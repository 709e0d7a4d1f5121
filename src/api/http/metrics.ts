import type pg from 'pg'
import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../platform/clock.ts'
import { countedAtMost, readServiceState, type ServiceState } from '../../store/service-state.ts'

const keptMs = 2_000

export interface MetricsDeps {
  registry: Registry
  /** The API's pool, whose use is shown. */
  pool: pg.Pool
  /** A pool that sees every tenant and the queues (role carillon_worker); without it only the pool's use is shown. */
  statePool?: pg.Pool
  openSubscriptions(): number
  clock: Clock
  logger: Logger
}

/** Registers what is read from the database at a scrape. Scrapes within two seconds share one reading. */
export function registerMetrics({ registry, pool, statePool, openSubscriptions, clock, logger }: MetricsDeps): void {
  new Gauge({
    name: 'carillon_graphql_subscriptions_open',
    help: 'Subscriptions that are open, over SSE and WebSocket.',
    registers: [registry],
    collect() {
      this.set(openSubscriptions())
    },
  })
  new Gauge({
    name: 'carillon_api_pool_connections',
    help: "Connections of the API's pool, by state; waiting: requests that wait for one.",
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'total' }, pool.totalCount)
      this.set({ state: 'idle' }, pool.idleCount)
      this.set({ state: 'waiting' }, pool.waitingCount)
    },
  })
  if (!statePool) return

  let kept: { state: Promise<ServiceState | undefined>; untilMs: number } | undefined
  function stateNow(): Promise<ServiceState | undefined> {
    const now = clock.now()
    if (kept && now.getTime() < kept.untilMs) return kept.state
    const state = readServiceState(statePool!, now).catch((error: unknown) => {
      logger.warn({ err: error }, 'metrics could not be read from the database')
      return undefined
    })
    kept = { state, untilMs: now.getTime() + keptMs }
    return state
  }

  /** A gauge without a reading shows nothing, rather than the last one. */
  function gauge(name: string, help: string, labelNames: string[], show: (gauge: Gauge, state: ServiceState) => void) {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const state = await stateNow()
        this.reset()
        if (state) show(this, state)
        else if (labelNames.length === 0) this.set(Number.NaN)
      },
    })
  }

  gauge(
    'carillon_queue_oldest_due_seconds',
    'How long the oldest due job of a family of queues has waited.',
    ['family', 'lane'],
    (on, state) => {
      for (const { family, lane, seconds } of state.oldestDue) on.set({ family, lane }, seconds)
    },
  )
  gauge(
    'carillon_outbox_lag_seconds',
    'Age of the oldest status event that a follower has not passed on.',
    ['lane'],
    (on, state) => {
      for (const { lane, seconds } of state.outbox) on.set({ lane }, seconds)
    },
  )
  gauge(
    'carillon_outbox_lag_events',
    `Status events that a follower has not passed on, counted over ${countedAtMost} batches at most.`,
    ['lane'],
    (on, state) => {
      for (const { lane, events } of state.outbox) on.set({ lane }, events)
    },
  )
  gauge('carillon_dead_letters_open', 'Dead letters that wait for a person.', ['channel'], (on, state) => {
    for (const { channel, open } of state.deadLetters) on.set({ channel }, open)
  })
  gauge('carillon_partitions_ahead_days', 'Days from today that have their partitions.', [], (on, state) =>
    on.set(state.partitionsAheadDays),
  )
}
