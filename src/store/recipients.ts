import type { Channel } from '../domain/channel.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface ContactPointRow {
  channel: Channel
  address: string
  position: number
  device_id: string | null
  verified_at: string | null
  invalid_at: string | null
  invalid_reason: string | null
}

export interface RecipientRow {
  external_id: string
  name: string | null
  locale: string | null
  timezone: string | null
  enabled: boolean
  roles: string[]
  groups: string[]
  attributes: Record<string, unknown>
  created_at: Date
  updated_at: Date
  /** By channel, the preferred one first. */
  contact_points: ContactPointRow[]
}

export interface ContactPoint {
  channel: Channel
  address: string
  /** Of a push token: a new one of the same device takes its place. */
  deviceId?: string
  /** Absent: as it is, or unknown. */
  verified?: boolean
}

/** What shall be of a recipient. What is absent stays as it is; null clears. */
export interface RecipientProfile {
  externalId: string
  name?: string | null
  locale?: string | null
  timezone?: string | null
  enabled?: boolean
  roles?: readonly string[]
  groups?: readonly string[]
  attributes?: Readonly<Record<string, unknown>>
  /** All there are, the preferred one of a channel first. */
  contactPoints?: readonly ContactPoint[]
  /** The contact points are all there are of these channels; those of others stay. Absent: they speak of all. */
  contactChannels?: readonly Channel[]
}

const writeSql: Statement = {
  name: 'recipients_write',
  text: 'select w.external_id, w.is_new from carillon.write_recipients($1::uuid, $2::jsonb, $3::timestamptz) w',
}

/**
 * Writes recipients as told, with a constant number of statements; see sql/api/51_write_recipients.sql. The external ids must
 * be distinct. Gives those that are new, and those that changed.
 */
export async function upsertRecipients(
  on: Queryable,
  tenantId: string,
  profiles: readonly RecipientProfile[],
  now: Date,
): Promise<{ added: string[]; changed: string[] }> {
  if (profiles.length === 0) return { added: [], changed: [] }
  const said = profiles.map(({ externalId, contactPoints, contactChannels, ...rest }) => ({
    external_id: externalId,
    ...rest,
    contact_points: contactPoints?.map(({ deviceId, ...point }) => ({ ...point, device_id: deviceId })),
    contact_channels: contactChannels,
  }))
  const rows = await run<{ external_id: string; is_new: boolean }>(on, writeSql, [tenantId, JSON.stringify(said), now])
  const idsOf = (isNew: boolean) => rows.filter((row) => row.is_new === isNew).map((row) => row.external_id)
  return { added: idsOf(true), changed: idsOf(false) }
}

const deleteSql: Statement = {
  name: 'recipients_delete',
  text: 'select id from carillon.delete_recipients($1::uuid, $2::text[], $3::text, $4::timestamptz) as id',
}

/** Deletes recipients with all that is theirs, and gives those that were there; see sql/api/54_delete_recipients.sql. */
export async function deleteRecipients(
  on: Queryable,
  tenantId: string,
  externalIds: readonly string[],
  by: string,
  now: Date,
): Promise<string[]> {
  const rows = await run<{ id: string }>(on, deleteSql, [tenantId, externalIds, by, now])
  return rows.map(({ id }) => id)
}

const columns = `r.external_id, r.name, r.locale, r.timezone, r.enabled, r.roles, r.groups, r.attributes, r.created_at, r.updated_at,
    coalesce((
      select jsonb_agg(jsonb_build_object('channel', c.channel, 'address', c.address, 'position', c.position,
               'device_id', c.device_id, 'verified_at', c.verified_at, 'invalid_at', c.invalid_at,
               'invalid_reason', c.invalid_reason) order by c.channel, c.position, c.address)
      from carillon.contact_points c where c.tenant_id = r.tenant_id and c.recipient_id = r.external_id), '[]') as contact_points`

const findSql: Statement = {
  name: 'recipients_find',
  text: `select ${columns} from carillon.recipients r where r.tenant_id = $1::uuid and r.external_id = any ($2::text[])`,
}

/** The recipients among these external ids, with their contact points, in no order. */
export async function findRecipients(
  on: Queryable,
  tenantId: string,
  externalIds: readonly string[],
): Promise<RecipientRow[]> {
  return run<RecipientRow & Record<string, unknown>>(on, findSql, [tenantId, externalIds])
}

export interface RecipientPage {
  /** External ids that bound it. */
  after?: string
  before?: string
  /** false: read from the end. */
  forward: boolean
  limit: number
  role?: string
  group?: string
  enabled?: boolean
}

/** Of a role or a group, the members are walked in order, else the recipients: either way it stops where the page is full. */
function pageSql(forward: boolean, set?: 'role' | 'group'): Statement {
  const [direction, name] = forward ? ['asc', 'forward'] : ['desc', 'backward']
  const id = set ? 'm.recipient_id' : 'r.external_id'
  const from = set
    ? `carillon.members m join carillon.recipients r on r.tenant_id = m.tenant_id and r.external_id = m.recipient_id
  where m.tenant_id = $1::uuid and m.kind = '${set}' and m.name = $6::text`
    : `carillon.recipients r where r.tenant_id = $1::uuid and $6::text is null`
  return {
    name: `recipients_page_${name}_${set ?? 'all'}`,
    text: `select ${columns} from ${from}
    and ($2::text is null or ${id} > $2::text) and ($3::text is null or ${id} < $3::text)
    and ($4::boolean is null or r.enabled = $4::boolean) and ($7::text is null or r.groups @> array[$7::text])
  order by ${id} ${direction} limit $5::int`,
  }
}
const pages = {
  all: [pageSql(false), pageSql(true)],
  role: [pageSql(false, 'role'), pageSql(true, 'role')],
  group: [pageSql(false, 'group'), pageSql(true, 'group')],
} as const

/** A page of the recipients, in order of their external ids. */
export async function pageRecipients(on: Queryable, tenantId: string, page: RecipientPage): Promise<RecipientRow[]> {
  const { after, before, forward, limit, role, group, enabled } = page
  const set = role === undefined ? (group === undefined ? 'all' : 'group') : 'role'
  const statement = pages[set][forward ? 1 : 0]
  const filters = set === 'role' ? [role, group] : [group, undefined]
  return run<RecipientRow & Record<string, unknown>>(on, statement, [
    tenantId,
    after,
    before,
    enabled,
    limit,
    ...filters,
  ])
}
