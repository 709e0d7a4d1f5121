import { type FeedCursor, feedStart } from '../../domain/status-event.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'
import type { KafkaPosition } from '../../platform/kafka/transactional-publisher.ts'
import { moveCursor } from './feed-cursor.ts'

const identitySql = statement('stream/read_feed_identity')
const identityWithoutControlSql = statement('stream/read_feed_identity_without_control')
const hasPlaceSql = statement('stream/has_place')

/** Stays through restarts and failovers; no two databases share it, though they be of one server. */
export async function readFeedIdentity(on: Queryable): Promise<string> {
  try {
    const [row] = await run<{ identity: string }>(on, identitySql, [])
    return row!.identity
  } catch (error) {
    if ((error as { code?: unknown }).code !== '42501') throw error
    const [row] = await run<{ identity: string }>(on, identityWithoutControlSql, [])
    return row!.identity
  }
}

/** The relay's name in Kafka, as transactional id and as group. It begins like the topics, so that one ACL may cover all. */
export function relayName(on: { topicPrefix: string; lane: string; identity: string }): string {
  return `${on.topicPrefix}carillon.relay.${on.lane}.${on.identity}`
}

interface Metadata {
  database: string
  xid: string
  id: string
}

/** A place as Kafka keeps it. The offset is the transaction's number, which rises as places do; the id comes last, so that the text does, too. */
export function toKafkaPosition({ xid, id }: FeedCursor, identity: string): KafkaPosition {
  const metadata: Metadata = { database: identity, xid, id }
  return { offset: xid, metadata: JSON.stringify(metadata) }
}

/**
 * The place that Kafka keeps; undefined when it keeps none, or when somebody has set the offset by hand and with it lost
 * the place. Throws FEED_OTHER_DATABASE when it is a place in another database.
 */
export function toPlace(position: KafkaPosition | undefined, identity: string): FeedCursor | undefined {
  const metadata = position && readMetadata(position.metadata)
  if (!metadata) return undefined
  if (metadata.database === identity) return { xid: metadata.xid, id: metadata.id }
  throw new OperationalError(
    'FEED_OTHER_DATABASE',
    `the position in Kafka is one in database ${metadata.database}, and this is ${identity}: it means nothing here; ` +
      `delete the relay's group in Kafka to go on from the lane's row in carillon.feed_cursors`,
  )
}

function readMetadata(text: string): Metadata | undefined {
  try {
    const { database, xid, id } = JSON.parse(text) as Partial<Metadata>
    return database && /^\d+$/.test(xid ?? '') && id ? { database, xid: xid!, id } : undefined
  } catch {
    return undefined // not written by a relay: there is no place in it
  }
}

/** What the mirror in Postgres was like beside Kafka's position. */
export type MirrorState = 'agrees' | 'behind' | 'ahead' | 'alone'

/**
 * The place to go on from, with the mirror put there: Kafka's, which says what Kafka has, or the mirror's where Kafka keeps
 * none. Read the mirror before Kafka, so that whoever lost the lead in between cannot move it. Throws
 * FEED_AHEAD_OF_DATABASE when Kafka has what this database does not, and CURSOR_MOVED when another has moved the mirror.
 */
export async function reconcileMirror(
  on: Queryable,
  lane: string,
  mirror: FeedCursor,
  kafka: FeedCursor | undefined,
  now: Date,
): Promise<{ place: FeedCursor; mirror: MirrorState }> {
  if (!kafka) return { place: mirror, mirror: 'alone' }
  const order = comparePlaces(mirror, kafka)
  if (order === 0) return { place: kafka, mirror: 'agrees' }
  if (order < 0 && !(await hasPlace(on, kafka))) {
    throw new OperationalError(
      'FEED_AHEAD_OF_DATABASE',
      `Kafka has events up to transaction ${kafka.xid}, which this database's log does not hold: it was set back to an earlier state`,
    )
  }
  if (!(await moveCursor(on, lane, mirror, kafka, now))) throw cursorMoved()
  return { place: kafka, mirror: order < 0 ? 'behind' : 'ahead' }
}

export const cursorMoved = () =>
  new OperationalError('CURSOR_MOVED', 'another process has moved the cursor: it leads, and we do not')

function comparePlaces(a: FeedCursor, b: FeedCursor): number {
  const order = BigInt(a.xid) - BigInt(b.xid)
  if (order !== 0n) return order < 0n ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

async function hasPlace(on: Queryable, { xid, id }: FeedCursor): Promise<boolean> {
  if (xid === feedStart.xid) return true
  const [row] = await run<{ has: boolean }>(on, hasPlaceSql, [xid, id])
  return row!.has
}
