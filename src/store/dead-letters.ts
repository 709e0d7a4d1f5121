import type { Channel } from '../domain/channel.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface DeadLetterRow {
  delivery_id: string
  channel: Channel
  reason: string
  attempts: number
  created_at: Date
  /** created_at to the microsecond, for the keyset. */
  place: string
}

export interface DeadLetterPage {
  /** Keyset on (created_at, delivery_id). */
  before?: { place: string; deliveryId: string }
  after?: { place: string; deliveryId: string }
  newestFirst: boolean
  limit: number
}

const pageText = (newestFirst: boolean) => {
  const direction = newestFirst ? 'desc' : 'asc'
  return `select l.delivery_id, l.channel, l.reason, l.attempts, l.created_at, l.created_at::text as place
  from carillon.dead_letters l
  where l.tenant_id = $1::uuid and l.state = 'open'
    and ($2::timestamptz is null or (l.created_at, l.delivery_id) < ($2::timestamptz, $3::uuid))
    and ($4::timestamptz is null or (l.created_at, l.delivery_id) > ($4::timestamptz, $5::uuid))
  order by l.created_at ${direction}, l.delivery_id ${direction} limit $6::int`
}
const newestFirstSql: Statement = { name: 'dead_letters_page_desc', text: pageText(true) }
const oldestFirstSql: Statement = { name: 'dead_letters_page_asc', text: pageText(false) }

/** One page of the dead letters that wait for a person. */
export async function pageDeadLetters(on: Queryable, tenantId: string, page: DeadLetterPage): Promise<DeadLetterRow[]> {
  return run<DeadLetterRow & Record<string, unknown>>(on, page.newestFirst ? newestFirstSql : oldestFirstSql, [
    tenantId,
    page.before?.place ?? null,
    page.before?.deliveryId ?? null,
    page.after?.place ?? null,
    page.after?.deliveryId ?? null,
    page.limit,
  ])
}

const replaySql: Statement = {
  name: 'dead_letters_replay',
  text: 'select id from carillon.replay_dead_letters($1::uuid, $2::uuid[], $3, $4::timestamptz) as id',
}

/** Puts dead letters back to wait for sending; gives those that were open. See sql/api/40_replay_dead_letters.sql. */
export async function replayDeadLetters(
  on: Queryable,
  tenantId: string,
  deliveryIds: readonly string[],
  by: string,
  now: Date,
): Promise<string[]> {
  const rows = await run<{ id: string }>(on, replaySql, [tenantId, deliveryIds, by, now])
  return rows.map(({ id }) => id)
}
