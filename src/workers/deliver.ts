import type pg from 'pg'
import { loadContent } from '../pipeline/render/load-content.ts'
import { type Rendered, renderMessages } from '../pipeline/render/render-messages.ts'
import { type Claim, claimDeliveries } from '../pipeline/send/claim-deliveries.ts'
import { type Result, type SendDeps, sendAll } from '../pipeline/send/send-all.ts'
import { createFlusher } from '../pipeline/settle/flusher.ts'
import { type Settled, type SettleSettings, settleAttempts } from '../pipeline/settle/settle-attempts.ts'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'
import type { WorkChunk } from './chunks.ts'

export interface DeliverDeps {
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  catalogue: TemplateCatalogue
  send: SendDeps
  settle: SettleSettings
  flush: { rows: number; ms: number }
  /** Hears of everything that was settled, after the commit: metrics and log. */
  onSettled(settled: readonly Settled[]): void
}

const settleRetryDelaysMs = [100, 500, 2_000, 5_000]

/** Deliveries go out: render → send → settle. The claim is committed before the network is used. */
export async function deliver(chunk: WorkChunk, on: DeliverDeps): Promise<void> {
  const claims = await claimDeliveries(on.pool, chunk, chunk.tries > 0, on.clock.now())
  if (claims.length === 0) return
  const content = await loadContent(on.pool, chunk.tenant_id, claims)
  const templates = claims.flatMap(({ deliveryId }) => content.payload(deliveryId)?.template ?? [])
  await on.catalogue.load(chunk.tenant_id, templates)
  const messages = renderMessages(claims, content, on.catalogue.find, on.clock.now())

  const settling = createFlusher<Result<Rendered<Claim>>>({
    flushRows: on.flush.rows,
    flushMs: on.flush.ms,
    retryDelaysMs: settleRetryDelaysMs,
    settle: async (results) => {
      on.onSettled(await settleAttempts(on.pool, chunk.tenant_id, results, on.ids, on.settle, on.clock.now()))
    },
  })
  await sendAll(messages, on.send, settling.add)
  await settling.drain()
}
