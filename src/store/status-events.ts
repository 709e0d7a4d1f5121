import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface NewStatusEvent {
  subjectId: string
  id: string
  type: string
  /** snake_case keys; no address and no content. */
  data: Record<string, unknown>
}

const appendSql: Statement = {
  name: 'status_events_append',
  text: `insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
  select $1::uuid, e.subject_id, e.id, e.type, $2::timestamptz, jsonb_strip_nulls(e.data)
  from json_to_recordset($3::json) as e (subject_id uuid, id uuid, type text, data jsonb)`,
}

/** Appends events in the transaction that changes what they tell of. */
export async function appendStatusEvents(
  on: Queryable,
  tenantId: string,
  events: readonly NewStatusEvent[],
  at: Date,
): Promise<void> {
  if (events.length === 0) return
  const rows = events.map(({ subjectId, id, type, data }) => ({ subject_id: subjectId, id, type, data }))
  await run(on, appendSql, [tenantId, at, JSON.stringify(rows)])
}
