import type { Channel } from '../domain/channel.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export type ContactPointChange =
  /** In place of the old token of the same device; it stands last, or `first`. An address that was invalid is usable again. */
  | { change: 'add'; deviceId?: string; first: boolean; verified: boolean }
  /** It is known to be theirs, and usable again. */
  | { change: 'verify' }
  /** It is not used any more, until it is added or verified again. */
  | { change: 'invalidate'; reason: string }
  | { change: 'remove' }

const changeSql: Statement = {
  name: 'contact_points_change',
  text: `select carillon.change_contact_point($1::uuid, $2::text, $3::text, $4::carillon.channel, $5::text, $6::timestamptz,
    $7::text, $8::boolean, $9::boolean, $10::text) as done`,
}

/** Changes one contact point; false: there is no such recipient, or no such point. See sql/api/53_contact_points.sql. */
export async function changeContactPoint(
  on: Queryable,
  tenantId: string,
  at: { recipientId: string; channel: Channel; address: string },
  change: ContactPointChange,
  now: Date,
): Promise<boolean> {
  const added = change.change === 'add' ? change : undefined
  const [row] = await run<{ done: boolean }>(on, changeSql, [
    tenantId,
    at.recipientId,
    change.change,
    at.channel,
    at.address,
    now,
    added?.deviceId,
    added?.first ?? false,
    added?.verified ?? false,
    change.change === 'invalidate' ? change.reason : undefined,
  ])
  return row!.done
}
