import type pg from 'pg'
import type { Limit } from '../../domain/limit.ts'
import {
  type Ask,
  allot,
  giveBack,
  limitFinder,
  ofSystem,
  type Refusal,
  type Subject,
  subjectOf,
  tidyCounts,
  type Warning,
} from '../../domain/limits/allot.ts'
import { type Counts, decodeCounts, encodeCounts } from '../../domain/limits/counts-text.ts'
import { inTransaction, run, statement } from '../../platform/db.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'

const lockSql = statement('permit/lock_limit_counters')
const writeSql = statement('permit/write_limit_counters')

const systemTenant = '00000000-0000-0000-0000-000000000000'
/** Each time somebody else was the first to make a row; then it is there, and waited for. */
const mostTries = 20

/**
 * Counts what is about to be sent, and gives what is not let through, by key. In one short transaction, whatever the number
 * of deliveries; deliveries that no limit concerns cost nothing. What is let through is counted from then on: whoever
 * does not send it after all gives it back with `releaseLimits`.
 */
export async function reserveLimits(
  pool: pg.Pool,
  tenantId: string,
  limits: readonly Limit[],
  asks: readonly Ask[],
  now: Date,
): Promise<Map<string, Refusal>> {
  const refused = await changeCounts(pool, tenantId, limits, asks, now, (counts, those) =>
    allot(those, limits, counts, now),
  )
  return refused?.refused ?? new Map()
}

/** Takes back what `reserveLimits` has let through at a moment, as far as it still counts. */
export async function releaseLimits(
  pool: pg.Pool,
  tenantId: string,
  limits: readonly Limit[],
  asks: readonly Ask[],
  reservedAt: Date,
): Promise<void> {
  await changeCounts(pool, tenantId, limits, asks, reservedAt, (counts, those) =>
    giveBack(those, limits, counts, reservedAt),
  )
}

interface Change {
  changed: Map<Subject, Counts>
  warnings?: Warning[]
}

async function changeCounts<C extends Change>(
  pool: pg.Pool,
  tenantId: string,
  limits: readonly Limit[],
  asks: readonly Ask[],
  now: Date,
  change: (counts: Map<Subject, Counts>, asks: readonly Ask[]) => C,
): Promise<C | undefined> {
  const { subjects, concerned } = subjectsOf(limits, asks)
  if (subjects.size === 0) return undefined
  for (let tries = 0; tries < mostTries; tries++) {
    try {
      return await inTransaction(pool, async (trx) => {
        const { counts, known } = await lockCounts(trx, tenantId, subjects)
        const changed = change(counts, concerned)
        await writeCounts(trx, tenantId, changed, known, now)
        return changed
      })
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error
    }
  }
  throw new Error('the counts of the limits could not be made: others were faster each time')
}

/** Rolls back: a row that was not there was made by somebody else meanwhile. */
class Overtaken extends Error {}

function subjectsOf(limits: readonly Limit[], asks: readonly Ask[]) {
  const limitsOf = limitFinder(limits)
  const subjects = new Set<Subject>()
  const concerned: Ask[] = []
  for (const ask of asks) {
    const those = limitsOf(ask)
    if (those.length > 0) concerned.push(ask)
    for (const limit of those) subjects.add(subjectOf(limit, ask))
  }
  return { subjects, concerned }
}

async function lockCounts(trx: pg.PoolClient, tenantId: string, subjects: ReadonlySet<Subject>) {
  const ofTenant = [...subjects].filter((subject) => subject !== ofSystem)
  const values = [tenantId, textArray(ofTenant, (subject) => subject), subjects.has(ofSystem)]
  const rows = await run<{ subject: string | null; counts: string }>(trx, lockSql, values)
  const counts = new Map<Subject, Counts>(rows.map((row) => [row.subject, decodeCounts(row.counts)]))
  return { counts, known: new Set(counts.keys()) }
}

async function writeCounts(
  trx: pg.PoolClient,
  tenantId: string,
  { changed, warnings = [] }: Change,
  known: ReadonlySet<Subject>,
  now: Date,
): Promise<void> {
  const isoTimes = isoTimeCache()
  const rows = [...changed].map(([subject, counts]) => {
    const idleAt = isoTimes(tidyCounts(counts, now))
    return { tenantId: subject === ofSystem ? systemTenant : tenantId, subject, counts: encodeCounts(counts), idleAt }
  })
  const old = rows.filter(({ subject }) => subject !== ofSystem && known.has(subject))
  const made = rows.filter(({ subject }) => !known.has(subject))
  const ofSystemNow = known.has(ofSystem) ? rows.find(({ subject }) => subject === ofSystem) : undefined
  const values = [
    tenantId,
    textArray(old, ({ subject }) => subject),
    plainArray(old, ({ counts }) => counts),
    plainArray(old, ({ idleAt }) => idleAt),
    plainArray(made, (row) => row.tenantId),
    textArray(made, ({ subject }) => subject ?? ''),
    plainArray(made, ({ counts }) => counts),
    plainArray(made, ({ idleAt }) => idleAt),
    ofSystemNow?.counts,
    ofSystemNow?.idleAt,
    warnings.length > 0 ? JSON.stringify(warnings.map((warning) => quotaEvent(warning))) : null,
    now,
  ]
  const [written] = await run<{ made: number }>(trx, writeSql, values)
  if (written!.made < made.length) throw new Overtaken()
}

/** The rows of a chunk have few different ones. */
function isoTimeCache(): (atMs: number) => string {
  const known = new Map<number, string>()
  return (atMs) => {
    const time = known.get(atMs) ?? new Date(atMs).toISOString()
    known.set(atMs, time)
    return time
  }
}

function quotaEvent({ limit, percent, used }: Warning) {
  const period = 'calendar' in limit.window ? limit.window.calendar : undefined
  return {
    subject_id: limit.id,
    type: 'carillon.quota.reached',
    data: {
      ...(limit.channel ? { channel: limit.channel } : {}),
      reason: percent >= 100 ? 'used_up' : 'nearly_used_up',
      attributes: {
        limit: limit.name,
        percent,
        used,
        max: limit.max,
        period,
        ...(limit.category ? { category: limit.category } : {}),
      },
    },
  }
}
