import { type Queryable, run, type Statement } from '../platform/db.ts'

/** Whose positions: another cluster's topics of the same names are others. */
export interface BridgeGroup {
  clusterId: string
  groupId: string
}

export interface BridgeOffset {
  topic: string
  partition: number
  nextOffset: bigint
  /** How often the partition began anew. */
  resets: number
}

interface Row extends Record<string, unknown> {
  topic: string
  partition: number
  next_offset: string
  resets: number
}

const readSql: Statement = {
  name: 'bridge_offsets_read',
  text: `select o.topic, o.partition, o.next_offset, o.resets from carillon.bridge_offsets o
  where o.cluster_id = $1::text and o.group_id = $2::text and o.topic = any ($3::text[])`,
}

/** Where the partitions of these topics go on. */
export async function readBridgeOffsets(
  on: Queryable,
  { clusterId, groupId }: BridgeGroup,
  topics: readonly string[],
): Promise<BridgeOffset[]> {
  const rows = await run<Row>(on, readSql, [clusterId, groupId, topics])
  return rows.map(({ topic, partition, next_offset, resets }) => ({
    topic,
    partition,
    nextOffset: BigInt(next_offset),
    resets,
  }))
}

const beginSql: Statement = {
  name: 'bridge_offsets_begin',
  text: `insert into carillon.bridge_offsets (cluster_id, group_id, topic, partition, next_offset, updated_at)
  select $1::text, $2::text, $3::text, p.partition, p.next_offset, $6::timestamptz
  from unnest($4::int[], $5::bigint[]) as p (partition, next_offset)
  on conflict do nothing`,
}

/** Notes where partitions begin that were never read; those that were stay where they are. */
export async function beginBridgeOffsets(
  on: Queryable,
  { clusterId, groupId }: BridgeGroup,
  topic: string,
  from: readonly { partition: number; nextOffset: bigint }[],
  now: Date,
): Promise<void> {
  const partitions = from.map(({ partition }) => partition)
  const offsets = from.map(({ nextOffset }) => nextOffset.toString())
  await run(on, beginSql, [clusterId, groupId, topic, partitions, offsets, now])
}

const resetSql: Statement = {
  name: 'bridge_offsets_reset',
  text: `update carillon.bridge_offsets o set next_offset = $7::bigint, resets = o.resets + 1, updated_at = $8::timestamptz
  where o.cluster_id = $1::text and o.group_id = $2::text and o.topic = $3::text and o.partition = $4::int
    and o.resets = $5::int and o.next_offset = $6::bigint
  returning o.resets`,
}

/** Begins a partition anew whose position is not there any more; false: another process has moved it meanwhile. */
export async function resetBridgeOffset(
  on: Queryable,
  { clusterId, groupId }: BridgeGroup,
  { topic, partition, nextOffset, resets }: BridgeOffset,
  to: bigint,
  now: Date,
): Promise<boolean> {
  const values = [clusterId, groupId, topic, partition, resets, nextOffset.toString(), to.toString(), now]
  return (await run(on, resetSql, values)).length > 0
}
