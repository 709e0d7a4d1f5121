import type pg from 'pg'
import { type Content, loadContent } from '../pipeline/render/load-content.ts'
import { type Rendered, renderMessages } from '../pipeline/render/render-messages.ts'
import type { UnsubscribeLinks } from '../pipeline/render/unsubscribe-links.ts'
import { type Claim, claimDeliveries } from '../pipeline/send/claim-deliveries.ts'
import { type Result, type SendDeps, sendAll } from '../pipeline/send/send-all.ts'
import { createFlusher, type Flusher } from '../pipeline/settle/flusher.ts'
import { type Settled, type SettleSettings, settleAttempts } from '../pipeline/settle/settle-attempts.ts'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Chunk } from '../queue/queues.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'

export type Attempt = Result<Rendered<Claim>>

export interface DeliverDeps {
  pool: pg.Pool
  clock: Clock
  catalogue: TemplateCatalogue
  send: SendDeps
  settling: Flusher<Attempt>
  /** Absent: mails have no such links. */
  unsubscribe?: UnsubscribeLinks
}

/** Deliveries to send: claimed and with their content where this process has just planned them, else by their ids alone. */
export interface DeliveriesChunk extends Chunk {
  /** How often its job was claimed before, by a worker that did not finish it. */
  tries: number
  planned?: { claims: Claim[]; content?: Content }
}

/** Deliveries go out: render → send → settle. The claim is committed before the network is used. */
export async function deliver(chunk: DeliveriesChunk, on: DeliverDeps, isOurs = () => true): Promise<void> {
  const claims = chunk.planned?.claims ?? (await claimDeliveries(on.pool, chunk, chunk.tries, on.clock.now()))
  if (claims.length === 0) return
  const content = chunk.planned?.content ?? (await loadContent(on.pool, chunk.tenant_id, claims))
  const templates = new Set(claims.flatMap(({ deliveryId }) => content.payload(deliveryId)?.template ?? []))
  await on.catalogue.load(chunk.tenant_id, [...templates])
  const hasMail = claims.some(
    ({ channel, deliveryId }) => channel === 'email' && content.notification(deliveryId)?.category,
  )
  const linkOf = hasMail ? await on.unsubscribe?.of(chunk.tenant_id) : undefined
  const messages = renderMessages(claims, content, on.catalogue.find, on.clock.now(), linkOf)

  const settled = new Set<Promise<void>>()
  try {
    await sendAll(messages, { ...on.send, isOurs }, (attempt) => settled.add(on.settling.add(chunk.tenant_id, attempt)))
  } finally {
    await Promise.all(settled)
  }
}

const settleRetryDelaysMs = [100, 500, 2_000, 5_000]

export interface SettlingDeps {
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  settle: SettleSettings
  flush: { rows: number; ms: number; maxInFlight: number; worthOwn: number }
  /** Hears of everything that was settled, after the commit: metrics and log. */
  onSettled(tenantId: string, settled: readonly Settled[]): void
}

/** Where the attempts of all chunks of a lane are settled together. */
export function createSettling(on: SettlingDeps): Flusher<Attempt> {
  return createFlusher<Attempt>({
    flushRows: on.flush.rows,
    flushMs: on.flush.ms,
    maxInFlight: on.flush.maxInFlight,
    worthOwn: on.flush.worthOwn,
    retryDelaysMs: settleRetryDelaysMs,
    settle: async (tenantId, attempts) => {
      on.onSettled(tenantId, await settleAttempts(on.pool, tenantId, attempts, on.ids, on.settle, on.clock.now()))
    },
  })
}
