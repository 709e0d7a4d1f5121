import { type Queryable, run, type Statement } from '../platform/db.ts'

const postponeSql: Statement = {
  name: 'snoozes_postpone',
  text: `update carillon.snoozes s set until = $3::timestamptz where s.tenant_id = $1::uuid and s.delivery_id = $2::uuid`,
}

/** Has a delivery wait on, whatever it waited for. */
export async function postponeSnooze(on: Queryable, tenantId: string, deliveryId: string, until: Date): Promise<void> {
  await run(on, postponeSql, [tenantId, deliveryId, until])
}
