import type pg from 'pg'
import { countMessages } from './feed-messages.ts'
import { type Claims, readLedger, reconcile } from './reconcile.ts'
import type { ServiceCounts } from './service/service-process.ts'

export interface RunToReconcile {
  client: pg.Client
  counts(): Promise<ServiceCounts>
  /** Waits for so many published events; gives the time that took. */
  untilPublished(events: number): Promise<number>
  /** Absent: nothing is published. */
  broker?: { brokers: string[]; topicPrefix: string }
}

/** At the end of a run, when nothing moves any more: its faults, and what to tell of it. */
export async function reconcileRun(
  { client, counts, untilPublished, broker }: RunToReconcile,
  claims: Omit<Claims, 'service' | 'feed'>,
): Promise<{ faults: string[]; told: Record<string, unknown> }> {
  const ledger = await readLedger(client)
  const drainMs = Math.round(await untilPublished(ledger.events))
  const last = await counts()
  const feed = broker && {
    messages: await countMessages(broker.brokers, broker.topicPrefix),
    published: last.published,
    failures: last.relayFailures,
  }
  const faults = reconcile(ledger, { ...claims, service: last, feed })
  return {
    faults,
    told: {
      relay: feed ? { drainMs, ...feed } : 'off (--no-kafka)',
      memoryMiB: last.memoryMiB,
      peakMemoryMiB: last.peakMemoryMiB,
      reconciliation: { ...claims, ...ledger, providerCalls: last.providerCalls, ok: faults.length === 0 },
    },
  }
}
