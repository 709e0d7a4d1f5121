import type { EventData } from '../domain/event-types.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface NewStatusEvent {
  subjectId: string
  type: string
  /** snake_case keys; no address and no content. */
  data: EventData
}

const appendSql: Statement = {
  name: 'status_events_append',
  text: 'select carillon.append_events($1::uuid, $2::uuid, $3::timestamptz, json_strip_nulls($4::json))',
}

/** Appends events in the transaction that changes what they tell of. */
export async function appendStatusEvents(
  on: Queryable,
  tenantId: string,
  events: readonly NewStatusEvent[],
  ids: { batchId(): string },
  at: Date,
): Promise<void> {
  if (events.length === 0) return
  const rows = events.map(({ subjectId, type, data }) => ({ subject_id: subjectId, type, data }))
  await run(on, appendSql, [tenantId, ids.batchId(), at, JSON.stringify(rows)])
}
