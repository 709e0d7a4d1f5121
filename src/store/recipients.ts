import type { Channel } from '../domain/channel.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface RecipientRow {
  external_id: string
  name: string | null
  locale: string | null
  timezone: string | null
  roles: string[]
  groups: string[]
  created_at: Date
  updated_at: Date
  contact_points: {
    channel: Channel
    address: string
    verified_at: string | null
    invalid_at: string | null
    invalid_reason: string | null
  }[]
}

export interface RecipientProfile {
  externalId: string
  name: string | null
  locale: string | null
  timezone: string | null
  roles: readonly string[]
  groups: readonly string[]
  /** Absent: the contact points stay as they are. Else these are all there are, the preferred one of a channel first. */
  contactPoints?: readonly { channel: Channel; address: string }[]
}

const upsertSql: Statement = {
  name: 'recipients_upsert',
  text: `insert into carillon.recipients as r (tenant_id, external_id, name, locale, timezone, roles, groups, created_at, updated_at)
  select $1::uuid, p.external_id, p.name, p.locale, p.timezone, p.roles, p.groups, $3::timestamptz, $3::timestamptz
  from json_to_recordset($2::json) as p (external_id text, name text, locale text, timezone text, roles text[], groups text[])
  order by p.external_id
  on conflict (tenant_id, external_id) do update
    set name = excluded.name, locale = excluded.locale, timezone = excluded.timezone, roles = excluded.roles,
        groups = excluded.groups, updated_at = excluded.updated_at`,
}

const dropContactPointsSql: Statement = {
  name: 'contact_points_drop',
  text: `delete from carillon.contact_points c
  where c.tenant_id = $1::uuid and c.recipient_id = any ($2::text[])
    and not exists (
      select from json_to_recordset($3::json) as p (recipient_id text, channel carillon.channel, address text)
      where p.recipient_id = c.recipient_id and p.channel = c.channel and p.address = c.address)`,
}

const upsertContactPointsSql: Statement = {
  name: 'contact_points_upsert',
  text: `insert into carillon.contact_points as c (tenant_id, recipient_id, channel, address, position, created_at)
  select $1::uuid, p.recipient_id, p.channel, p.address, p.position, $3::timestamptz
  from json_to_recordset($2::json) as p (recipient_id text, channel carillon.channel, address text, position smallint)
  order by p.recipient_id, p.channel, p.address
  on conflict (tenant_id, recipient_id, channel, address) do update set position = excluded.position`,
}

/**
 * Writes recipients as given, whatever was there before: three statements for any number of them. The external ids, and
 * a recipient's contact points, must be distinct. An address that stays keeps whether it is verified or invalid.
 */
export async function upsertRecipients(
  on: Queryable,
  tenantId: string,
  profiles: readonly RecipientProfile[],
  now: Date,
): Promise<void> {
  if (profiles.length === 0) return
  const rows = profiles.map(({ externalId, contactPoints: _points, ...rest }) => ({ external_id: externalId, ...rest }))
  await run(on, upsertSql, [tenantId, JSON.stringify(rows), now])
  const withPoints = profiles.filter((profile) => profile.contactPoints !== undefined)
  if (withPoints.length === 0) return
  const points = withPoints.flatMap((profile) =>
    profile.contactPoints!.map((point, position) => ({ recipient_id: profile.externalId, ...point, position })),
  )
  const recipientIds = withPoints.map((profile) => profile.externalId)
  await run(on, dropContactPointsSql, [tenantId, recipientIds, JSON.stringify(points)])
  await run(on, upsertContactPointsSql, [tenantId, JSON.stringify(points), now])
}

const findSql: Statement = {
  name: 'recipients_find',
  text: `select r.external_id, r.name, r.locale, r.timezone, r.roles, r.groups, r.created_at, r.updated_at,
    coalesce((
      select jsonb_agg(jsonb_build_object('channel', c.channel, 'address', c.address, 'verified_at', c.verified_at,
               'invalid_at', c.invalid_at, 'invalid_reason', c.invalid_reason) order by c.channel, c.position, c.address)
      from carillon.contact_points c where c.tenant_id = r.tenant_id and c.recipient_id = r.external_id), '[]') as contact_points
  from carillon.recipients r
  where r.tenant_id = $1::uuid and r.external_id = any ($2::text[])`,
}

/** The recipients among these external ids, with their contact points, in no order. */
export async function findRecipients(
  on: Queryable,
  tenantId: string,
  externalIds: readonly string[],
): Promise<RecipientRow[]> {
  return run<RecipientRow & Record<string, unknown>>(on, findSql, [tenantId, externalIds])
}
