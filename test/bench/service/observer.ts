import pg from 'pg'
import type { Provider } from '../../../src/channels/port.ts'
import type { LoadData } from '../load/load-item.ts'
import { monotonicMs, type Percentiles, percentilesOf } from '../statistics.ts'

export interface PhaseReport {
  settled: number
  /** From the intended moment to the call of the provider. */
  start: Percentiles
  /** From the intended moment until Postgres has acknowledged the commit that settles it. */
  end: Percentiles
}

export interface Totals {
  providerCalls: number
  /** Deliveries that a provider was called for more than once. */
  repeatedCalls: number
  /** Calls with a message that does not say what its template and data should make of it. */
  misrendered: number
  settled: number
}

export interface Observer {
  /** Watches a provider: what is sent through it is timed, counted and looked at. */
  watchProvider(provider: Provider): Provider
  /** Watches this process's connections for commits that settle deliveries. Call it once, before they are opened. */
  watchDatabase(): void
  phase(phase: number): PhaseReport
  totals(): Totals
}

const settleStatement = 'settle/settle_attempts'

interface Samples {
  startMs: number[]
  endMs: number[]
}

export function createObserver(): Observer {
  const phases = new Map<number, Samples>()
  const underWay = new Map<string, { samples: Samples; intendedMs: number }>()
  const totals: Totals = { providerCalls: 0, repeatedCalls: 0, misrendered: 0, settled: 0 }

  function samplesOf(phase: number): Samples {
    const known = phases.get(phase)
    if (known) return known
    const samples = { startMs: [], endMs: [] }
    phases.set(phase, samples)
    return samples
  }

  function hearSettled(deliveryIds: readonly string[]): void {
    const now = monotonicMs()
    for (const id of deliveryIds) {
      const delivery = underWay.get(id)
      if (!delivery) continue
      underWay.delete(id)
      totals.settled++
      delivery.samples.endMs.push(now - delivery.intendedMs)
    }
  }

  return {
    watchProvider: (provider) => ({
      channel: provider.channel,
      name: provider.name,
      close: () => provider.close(),
      send(message, signal) {
        const { phase, intendedMs, order } = message.data as unknown as LoadData
        const samples = samplesOf(phase)
        samples.startMs.push(monotonicMs() - intendedMs)
        totals.providerCalls++
        if (message.attempt > 1 || underWay.has(message.deliveryId)) totals.repeatedCalls++
        if (!isRendered(order, message.subject, message.body, message.bodyHtml)) totals.misrendered++
        underWay.set(message.deliveryId, { samples, intendedMs })
        return provider.send(message, signal)
      },
    }),
    watchDatabase: () => watchClients(hearSettled),
    phase(phase) {
      const { startMs, endMs } = samplesOf(phase)
      return { settled: endMs.length, start: percentilesOf(startMs), end: percentilesOf(endMs) }
    },
    totals: () => ({ ...totals }),
  }
}

const isRendered = (order: string, subject = '', body = '', html = ''): boolean =>
  subject === `Your order ${order} is on its way` &&
  body.includes(`order ${order} has left`) &&
  html.includes('<li>2 &times; clapper</li>')

/**
 * Notes which deliveries a transaction settles, and tells of them when its commit is acknowledged. The workers have no
 * hook for this moment, so every client of this process is watched; if the statement is ever named otherwise nothing is
 * settled here, and the reconciliation fails.
 */
function watchClients(onSettled: (ids: string[]) => void): void {
  const query = pg.Client.prototype.query as (this: pg.Client, ...args: unknown[]) => unknown
  const settling = new WeakMap<pg.Client, string[]>()
  function watched(this: pg.Client, ...args: unknown[]): unknown {
    const answer = query.apply(this, args)
    const [statement] = args
    if (statement === 'commit') {
      const settled = settling.get(this)
      settling.delete(this)
      if (settled) {
        void (answer as Promise<unknown>).then(
          () => onSettled(settled),
          () => {}, // told to whoever asked
        )
      }
    } else if (statement === 'rollback') settling.delete(this)
    else if (isNamed(statement, settleStatement)) {
      void (answer as Promise<pg.QueryResult<{ id: string }>>).then(
        ({ rows }) => {
          if (rows.length > 0) settling.set(this, [...(settling.get(this) ?? []), ...rows.map(({ id }) => id)])
        },
        () => {}, // the rollback follows
      )
    }
    return answer
  }
  pg.Client.prototype.query = watched as typeof pg.Client.prototype.query
}

const isNamed = (statement: unknown, name: string): boolean =>
  typeof statement === 'object' && statement !== null && 'name' in statement && statement.name === name
