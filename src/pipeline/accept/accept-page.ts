import type pg from 'pg'
import type { NewIntent } from '../../domain/intent.ts'
import type { BridgeOutcome, Unreadable } from '../../domain/parked.ts'
import { inTransaction, type Queryable, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import type { BridgeGroup, BridgeOffset } from '../../store/bridge-offsets.ts'
import { acceptIntents } from './accept-intents.ts'
import type { JudgedMessage } from './judge-message.ts'
import type { InboundMessage } from './read-envelope.ts'

const moveSql = statement('accept/move_bridge_offset')
const tenantsSql = statement('accept/known_tenants')
const parkSql = statement('accept/park_messages')

/** Messages of one partition that lie between two positions, with what was made of them. */
export interface MessagePage {
  group: BridgeGroup
  /** Where the partition stands. */
  from: BridgeOffset
  next: bigint
  messages: readonly { message: InboundMessage; judged: JudgedMessage }[]
}

export interface AcceptPageDeps {
  /** In the role carillon_worker. */
  pool: pg.Pool
  ids: IdSource
  keyTtlMs: number
  /** Intents that are planned together at most. */
  chunkSize: number
}

export interface AcceptedPage {
  /** What became of each message, in order. */
  outcomes: BridgeOutcome[]
  /** The intents that are new. */
  intents: NewIntent[]
}

/**
 * Moves a partition's position, accepts its messages and parks those that cannot be accepted: one transaction, and as many
 * statements for a thousand messages as for one. undefined: another process has moved the position, and nothing was written.
 */
export async function acceptPage(page: MessagePage, on: AcceptPageDeps, now: Date): Promise<AcceptedPage | undefined> {
  return inTransaction(on.pool, async (trx) => {
    const { group, from, next } = page
    const place = [group.clusterId, group.groupId, from.topic, from.partition, from.resets]
    const moved = await run(trx, moveSql, [...place, from.nextOffset.toString(), next.toString(), now])
    if (moved.length === 0) return undefined
    const { verdicts, intents } = await acceptJudged(
      trx,
      page.messages.map(({ judged }) => judged),
      on,
      now,
    )
    const parked = page.messages.flatMap(({ message }, index) => {
      const { unreadable } = verdicts[index]!
      return unreadable ? [{ message, unreadable }] : []
    })
    if (parked.length > 0) await park(trx, place, parked, on.ids, now)
    return { outcomes: verdicts.map(({ outcome }) => outcome), intents }
  })
}

export interface Verdict {
  outcome: BridgeOutcome
  unreadable?: Unreadable
  intentId?: string
}

/** Accepts what was judged well, for tenants that there are, in the caller's transaction. */
export async function acceptJudged(
  trx: Queryable,
  judged: readonly JudgedMessage[],
  on: Omit<AcceptPageDeps, 'pool'>,
  now: Date,
): Promise<{ verdicts: Verdict[]; intents: NewIntent[] }> {
  const named = new Set(judged.flatMap((each) => (each.ok ? [each.intent.tenantId] : [])))
  const rows = named.size > 0 ? await run<{ id: string }>(trx, tenantsSql, [[...named]]) : []
  const known = new Set(rows.map(({ id }) => id))
  const wanted = judged.flatMap((each) => (each.ok && known.has(each.intent.tenantId) ? [each.intent] : []))
  const { answers } =
    wanted.length > 0
      ? await acceptIntents(trx, wanted, on.ids, now, on.keyTtlMs, { chunkSize: on.chunkSize })
      : { answers: [] }
  let at = 0
  const verdicts = judged.map((each): Verdict => {
    if (!each.ok) return parking({ reason: each.reason, detail: each.detail })
    if (!known.has(each.intent.tenantId)) {
      return parking({ reason: 'unknown_tenant', detail: `tenant_id: there is no tenant ${each.intent.tenantId}` })
    }
    const { status, intentId } = answers[at++]!
    if (status !== 'conflict') return { outcome: status, intentId }
    return parking({ reason: 'conflict', detail: 'its idempotency key was used with other content' })
  })
  return { verdicts, intents: wanted.filter((_, index) => answers[index]!.status === 'accepted') }
}

const parking = (unreadable: Unreadable): Verdict => ({ outcome: unreadable.reason, unreadable })

async function park(
  trx: Queryable,
  place: unknown[],
  parked: readonly { message: InboundMessage; unreadable: Unreadable }[],
  ids: IdSource,
  now: Date,
): Promise<void> {
  await run(trx, parkSql, [
    ...place,
    now,
    plainArray(parked, () => ids.id()),
    plainArray(parked, ({ message }) => message.offset.toString()),
    plainArray(parked, ({ message }) => writtenAt(message)),
    parked.map(({ message }) => message.key),
    JSON.stringify(parked.map(({ message }) => storedHeaders(message))),
    parked.map(({ message }) => message.value),
    plainArray(parked, ({ unreadable }) => unreadable.reason),
    textArray(parked, ({ unreadable }) => storable(unreadable.detail)),
  ])
}

/** A writer may put any number there. */
function writtenAt({ timestamp }: InboundMessage): string | undefined {
  const ms = Number(timestamp)
  return ms > 0 && ms < 8.64e15 / 1_000 ? new Date(ms).toISOString() : undefined
}

/** As in Kafka: a list, in order, whose values are bytes. */
export type StoredHeaders = { name: string; value: string }[]

function storedHeaders({ headers }: InboundMessage): StoredHeaders {
  return Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((value) => ({ name: storable(name), value: value.toString('base64') })),
  )
}

/** What Postgres can store, and a terminal can show. */
export const storable = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '?')
    .slice(0, 2_000)
