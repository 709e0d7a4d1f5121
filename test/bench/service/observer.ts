import type { Provider } from '../../../src/channels/port.ts'
import type { Message } from '../../../src/domain/message.ts'
import type { LoadData } from '../load/load-item.ts'
import { createSamples, type Samples } from '../samples.ts'
import { monotonicMs, type Percentiles } from '../statistics.ts'
import { type StartOrder, type Starts, startOrderOf } from './start-order.ts'
import { watchCommits } from './watch-commits.ts'

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
  /** Calls with a message that does not say what its template and data should make of it; of each 16th the body too. */
  misrendered: number
  settled: number
}

export interface Observer {
  /** Watches a provider: what is sent through it is timed, counted and looked at. */
  watchProvider(provider: Provider): Provider
  /** Watches this process's connections for commits that settle deliveries. Call it once, before they are opened. */
  watchDatabase(): void
  /** `forget`: the samples so far are given up, so that a long run needs no more memory than a short one. */
  phase(phase: number, forget?: boolean): PhaseReport
  /** Of a phase whose load mixed priorities. */
  startOrder(phase: number, drainFromMs: number): StartOrder
  totals(): Totals
}

interface PhaseSamples {
  startMs: Samples
  endMs: Samples
  starts: Starts
}

/** Reading a body means joining its pieces, which is dearer than all else here: only each so many is looked at. */
const bodyEvery = 16

export function createObserver(): Observer {
  const phases = new Map<number, PhaseSamples>()
  const underWay = new Map<string, LoadData>()
  const totals: Totals = { providerCalls: 0, repeatedCalls: 0, misrendered: 0, settled: 0 }

  function samplesOf(phase: number): PhaseSamples {
    const known = phases.get(phase)
    if (known) return known
    const startMs = createSamples()
    const starts = {
      atMs: createSamples(),
      priority: createSamples(),
      sinceIntendedMs: startMs,
      sinceAcceptedMs: createSamples(),
    }
    const samples = { startMs, endMs: createSamples(), starts }
    phases.set(phase, samples)
    return samples
  }

  function hearStart(message: Message): void {
    const data = message.data as unknown as LoadData
    const { phase, intendedMs, priority } = data
    const now = monotonicMs()
    const { startMs, starts } = samplesOf(phase)
    startMs.add(now - intendedMs)
    if (priority !== undefined) {
      starts.atMs.add(now)
      starts.priority.add(priority)
      starts.sinceAcceptedMs.add(Date.now() - Date.parse(message.createdAt))
    }
    totals.providerCalls++
    if (message.attempt > 1 || underWay.has(message.deliveryId)) totals.repeatedCalls++
    const isSample = totals.providerCalls % bodyEvery === 1
    if (!isAddressed(data.order, message) || (isSample && !isRendered(data.order, message))) totals.misrendered++
    underWay.set(message.deliveryId, data)
  }

  function hearSettled(ids: readonly string[]): void {
    const now = monotonicMs()
    for (const id of ids) {
      const delivery = underWay.get(id)
      if (!delivery) continue
      underWay.delete(id)
      totals.settled++
      samplesOf(delivery.phase).endMs.add(now - delivery.intendedMs)
    }
  }

  return {
    watchProvider: (provider) => ({
      channel: provider.channel,
      get name() {
        return provider.name
      },
      close: () => provider.close(),
      send(message, signal) {
        hearStart(message)
        return provider.send(message, signal)
      },
    }),
    watchDatabase: () => watchCommits(hearSettled),
    phase(phase, forget = false) {
      const { startMs, endMs } = samplesOf(phase)
      const report = { settled: endMs.values().length, start: startMs.percentiles(), end: endMs.percentiles() }
      if (forget) for (const samples of [startMs, endMs]) samples.clear()
      return report
    },
    startOrder: (phase, drainFromMs) => startOrderOf(samplesOf(phase).starts, drainFromMs),
    totals: () => ({ ...totals }),
  }
}

const isAddressed = (order: string, { channel, subject }: Message): boolean =>
  channel !== 'email' || subject === `Your order ${order} is on its way`

function isRendered(order: string, { channel, body = '', bodyHtml = '' }: Message): boolean {
  if (channel !== 'email') return body.startsWith(`Your order ${order} is on its way`)
  return body.includes(`order ${order} has left`) && bodyHtml.includes('<li>2 &times; clapper</li>')
}
