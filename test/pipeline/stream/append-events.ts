import { notificationId } from '../../../src/domain/ids.ts'
import type { Queryable } from '../../../src/platform/db.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'

export interface NewEvent {
  tenantId: string
  subjectId: string
  type?: string
  data?: Record<string, unknown>
}

const ids = createIdSource({ now: () => new Date() })

export const newTenant = () => ids.id()
export const newIntent = () => ids.intentId()
export const newNotification = () => notificationId(ids.intentId(), 1)

/** Appends events as settle would, in one statement, and gives their ids in order. */
export async function appendEvents(on: Queryable, events: readonly NewEvent[]): Promise<string[]> {
  const rows = events.map((event) => ({
    tenant_id: event.tenantId,
    id: ids.batchId(),
    events: [{ subject_id: event.subjectId, type: event.type ?? 'notification.email.sent', data: event.data ?? {} }],
  }))
  await on.query({
    text: `select carillon.append_events(r.tenant_id, r.id, now(), r.events)
      from json_to_recordset($1::json) as r (tenant_id uuid, id uuid, events json)`,
    values: [JSON.stringify(rows)],
  })
  return rows.map((row) => row.id)
}

/** The next `count` of a sequence. */
export async function take<T>(from: AsyncIterable<T>, count: number): Promise<T[]> {
  const iterator = from[Symbol.asyncIterator]()
  const taken: T[] = []
  while (taken.length < count) {
    const { done, value } = await iterator.next()
    if (done) throw new Error(`it ended after ${taken.length} of ${count}`)
    taken.push(value)
  }
  return taken
}
