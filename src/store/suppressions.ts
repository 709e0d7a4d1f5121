import type { Channel } from '../domain/channel.ts'
import type { suppressionReasons } from '../domain/person.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

type Row<Fields> = Fields & Record<string, unknown>

export type SuppressionReason = (typeof suppressionReasons)[number]

export interface SuppressionRow {
  channel: Channel
  /** In the form by which it is compared, see sql/api/08_address_key.sql. */
  address: string
  reason: SuppressionReason
  source: string
  note: string | null
  created_at: Date
  expires_at: Date | null
}

export interface SuppressedAddress {
  channel: Channel
  address: string
  reason: SuppressionReason
  source: string
  note?: string
  expiresAt?: Date
}

const columns = 's.channel, s.address, s.reason, s.source, s.note, s.created_at, s.expires_at'

const addSql: Statement = {
  name: 'suppressions_add',
  text: `select ${columns} from carillon.add_suppressions($1::uuid, $2::json, $3::timestamptz) s order by s.channel, s.address`,
}

/** Writes addresses down that are not to be used any more, whosever they are; one that was there is replaced. */
export async function addSuppressions(
  on: Queryable,
  tenantId: string,
  addresses: readonly SuppressedAddress[],
  now: Date,
): Promise<SuppressionRow[]> {
  const rows = addresses.map(({ expiresAt, ...rest }) => ({ ...rest, expires_at: expiresAt?.toISOString() }))
  return run<Row<SuppressionRow>>(on, addSql, [tenantId, JSON.stringify(rows), now])
}

const removeSql: Statement = {
  name: 'suppressions_remove',
  text: `select carillon.remove_suppression($1::uuid, $2::carillon.channel, $3::text) as removed`,
}

/** False: it was not suppressed. */
export async function removeSuppression(
  on: Queryable,
  tenantId: string,
  channel: Channel,
  address: string,
): Promise<boolean> {
  return (await run<{ removed: boolean }>(on, removeSql, [tenantId, channel, address]))[0]!.removed
}

const listSql = (name: string, direction: 'asc' | 'desc'): Statement => ({
  name: `suppressions_${name}`,
  text: `select ${columns} from carillon.suppressions s
  where s.tenant_id = $1::uuid and ($2::carillon.channel is null or s.channel = $2::carillon.channel)
    and ($3::text is null or s.reason = $3::text)
    and ($4::text is null or s.address = carillon.address_key(s.channel, $4::text))
    and ($5::boolean or s.expires_at is null or s.expires_at > $6::timestamptz)
    and ($7::carillon.channel is null or (s.channel, s.address) > ($7::carillon.channel, $8::text))
    and ($9::carillon.channel is null or (s.channel, s.address) < ($9::carillon.channel, $10::text))
  order by s.channel ${direction}, s.address ${direction} limit $11::int`,
})
const forwardSql = listSql('forward', 'asc')
const backwardSql = listSql('backward', 'desc')

type Place = Pick<SuppressionRow, 'channel' | 'address'>

export interface SuppressionPage {
  channel?: Channel
  reason?: SuppressionReason
  address?: string
  /** Those that do not hold any more, too. */
  expired: boolean
  after?: Place
  before?: Place
  /** false: from the end. */
  forward: boolean
  limit: number
}

/** Suppressed addresses of a tenant, by channel and address. */
export async function pageSuppressions(
  on: Queryable,
  tenantId: string,
  page: SuppressionPage,
  now: Date,
): Promise<SuppressionRow[]> {
  const { channel, reason, address, expired, after, before, forward, limit } = page
  return run<Row<SuppressionRow>>(on, forward ? forwardSql : backwardSql, [
    tenantId,
    channel,
    reason,
    address,
    expired,
    now,
    after?.channel,
    after?.address,
    before?.channel,
    before?.address,
    limit,
  ])
}
