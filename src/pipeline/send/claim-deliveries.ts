import type { Channel } from '../../domain/channel.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { Chunk } from '../../queue/queues.ts'

const claimSql = statement('send/claim_deliveries')

/** A delivery that this worker, and nobody else, now sends. */
export interface Claim {
  tenantId: string
  deliveryId: string
  channel: Channel
  /** From 1. */
  attempt: number
  address: string
  priority: number
  /** An earlier attempt may have reached the recipient without our knowing. */
  possibleDuplicate: boolean
}

interface Row extends Record<string, unknown> {
  id: string
  channel: Channel
  attempt: number
  address: string
  priority: number
  possible_duplicate: boolean
}

const anyAttempt = 32_767 // a smallint's greatest

/**
 * Claims what of a chunk can be sent now; what has ended, was cancelled or is in other hands is left out. `tries` is how often
 * the job was claimed before, by a worker that did not finish it: so many attempts of a delivery are that worker's, and what
 * has more is in the hands of a later job.
 */
export async function claimDeliveries(on: Queryable, chunk: Chunk, tries: number, now: Date): Promise<Claim[]> {
  const abandoned = chunk.abandoned === true
  const ids = [...chunk.ids].sort()
  const takesOver = chunk.attempts === undefined ? anyAttempt : chunk.attempts + tries
  const values = [chunk.tenant_id, ids, ids[0], ids.at(-1), now, tries > 0 ? takesOver : undefined, abandoned]
  const rows = await run<Row>(on, claimSql, values)
  return rows.map((row) => ({
    tenantId: chunk.tenant_id,
    deliveryId: row.id,
    channel: row.channel,
    attempt: row.attempt,
    address: row.address,
    priority: row.priority,
    possibleDuplicate: row.possible_duplicate,
  }))
}
