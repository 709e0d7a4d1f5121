import type pg from 'pg'
import { openPool } from '../../../src/platform/db.ts'
import { findNotifications } from '../../../src/store/notifications.ts'
import type { LeanReport } from '../load/lean-generator.ts'
import { benchTemplate, benchTenant, dataOf, eventType, recipientOf } from '../load/load-item.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { startLeanChild, startServiceChild } from '../service/service-child.ts'
import { medianOf, monotonicMs, type Percentiles, percentilesOf, spreadOf, tenths } from '../statistics.ts'

const callers = 16
const rampMs = 500
/** Ids that are looked up, spread over all days. */
const idsToAsk = 5_000

// A story of a day: $1 tenant, $2 the day, $3 how many. Its ids carry the day, and so it falls into that day's partitions.
const idsSql = `create temporary table story_ids as
select g as number, $1::timestamptz + g * interval '1 minute' as at, carillon.new_intent_id($1::timestamptz + g * interval '1 minute') as id
from generate_series(1, $2::int) g`
const intentsSql = `
insert into carillon.intents (tenant_id, id, kind, type, priority, category, source, accepted_at, recipients, payload)
select $1::uuid, s.id, 'direct', $2::text, 1, 'transactional', 'graphql', s.at, 1, $3::jsonb from story_ids s`
const notificationsSql = `
insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, recipient_name, type, category, priority, channels,
  has_fallback, template, scheduled_at, created_at)
select $1::uuid, carillon.notification_id(s.id, 1), 'user', 'customer-' || s.number, 'Ann Bell', $2::text, 'transactional', 1, '{email}',
  false, $3::text, s.at, s.at from story_ids s
returning id`
const deliveriesSql = `
insert into carillon.deliveries (tenant_id, id, channel, state, attempt, priority, address, sent_at, created_at, updated_at)
select $1::uuid, (left(s.id::text, 28) || '00000101')::uuid, 'email', 'sent', 1, 1, 'customer-' || s.number || '@example.com', s.at, s.at, s.at
from story_ids s`
const attemptsSql = `
insert into carillon.delivery_attempts (tenant_id, delivery_id, attempt, channel, provider, outcome, possible_duplicate, started_at, completed_at)
select $1::uuid, (left(s.id::text, 28) || '00000101')::uuid, 1, 'email', 'sink', 'accepted', false, s.at, s.at from story_ids s`

/** Look-ups by id across a year of daily partitions: the id says which day, so no other is touched. */
export async function byId({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('by-id: a fresh database')
  const database = await server.fresh('migrated')
  const days = options.quick ? 30 : 365
  const perDay = options.quick ? 200 : 1_000
  const seconds = Math.max(2, Math.ceil(options.seconds / 4))
  try {
    const { apiKey } = await seed(database.url)
    progress.begin(`by-id: ${days} days`)
    const ids = await withClient(database.url, (client) => fill(client, days, perDay, (line) => progress.show(line)))
    progress.begin('by-id: in SQL')
    const inSql = await measureSql(database.url, ids, options.quick ? 1_000 : 10_000)
    const { child, graphqlUrl } = await startServiceChild({ databaseUrl: database.url, role: 'api' })
    const aim = { kind: 'look up', ids } as const
    const generator = await startLeanChild({ url: graphqlUrl, apiKey, connections: callers, aim })
    const alone: LeanReport[] = []
    const many: LeanReport[] = []
    try {
      await generator.call('closed', { callers, seconds: 1, rampMs: 0 })
      for (let round = 1; round <= options.rounds; round++) {
        progress.begin(`by-id: GraphQL, round ${round} of ${options.rounds}`)
        alone.push(await generator.call<LeanReport>('closed', { callers: 1, seconds: 1, rampMs }))
        many.push(await generator.call<LeanReport>('closed', { callers, seconds, rampMs }))
      }
    } finally {
      await generator.stop()
      await child.stop()
    }
    const spread = spreadOf(many.map((report) => report.perSecond))
    return {
      unit: 'look-ups',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      ...mediansOf(many),
      days,
      rows: days * perDay,
      remark: `notification(id) over GraphQL, ${callers} callers, ${days} days of ${perDay}`,
      more: [
        { name: 'one caller', ...mediansOf(alone), remark: 'GraphQL' },
        { name: 'the statement alone', ...inSql, remark: 'one connection, in the role of the API' },
      ],
      faults: [...alone, ...many].flatMap(({ firstFault }) => firstFault ?? []).slice(0, 1),
    }
  } finally {
    await database.drop()
  }
}

const mediansOf = (reports: readonly LeanReport[]) => ({
  p50Ms: tenths(medianOf(reports.map(({ p50Ms }) => p50Ms))),
  p95Ms: tenths(medianOf(reports.map(({ p95Ms }) => p95Ms))),
  p99Ms: tenths(medianOf(reports.map(({ p99Ms }) => p99Ms))),
})

/** Makes the days' partitions of every table as maintenance does, fills them, and gives ids of all of them, in no order. */
async function fill(client: pg.Client, days: number, perDay: number, show: (line: string) => void): Promise<string[]> {
  await client.query('set synchronous_commit = off')
  const tables = await client.query<{ name: string }>('select name from carillon.partitioned_tables')
  for (const { name } of tables.rows) {
    show(`partitions of ${name}`)
    await client.query(`select carillon.ensure_partitions($1, now() - $2::int * interval '1 day', $2)`, [name, days])
  }
  const payload = JSON.stringify({
    recipients: [{ type: 'user', ...recipientOf({ number: 0 }) }],
    channels: ['email'],
    template: benchTemplate,
    data: dataOf({ number: 0, phase: 0, intendedMs: 0, run: '' }),
    metadata: {},
  })
  const ids: string[] = []
  const share = Math.ceil(idsToAsk / days)
  const today = Math.floor(Date.now() / 86_400_000)
  for (let back = 1; back <= days; back++) {
    if (back % 10 === 0) show(`rows of day ${back}`)
    await client.query('begin')
    await client.query(idsSql, [new Date((today - back) * 86_400_000), perDay])
    await client.query(intentsSql, [benchTenant, eventType, payload])
    const { rows } = await client.query<{ id: string }>(notificationsSql, [benchTenant, eventType, benchTemplate])
    await client.query(deliveriesSql, [benchTenant])
    await client.query(attemptsSql, [benchTenant])
    await client.query('drop table story_ids')
    await client.query('commit')
    ids.push(...rows.slice(0, share).map(({ id }) => id))
  }
  await client.query(
    'analyze carillon.intents, carillon.notifications, carillon.deliveries, carillon.delivery_attempts',
  )
  await client.query('checkpoint')
  return shuffled(ids)
}

/** The same order in every run. */
function shuffled(ids: readonly string[]): string[] {
  const step = 7_919 // a prime, so that every id is met once
  return ids.map((_id, index) => ids[(index * step) % ids.length]!)
}

async function measureSql(databaseUrl: string, ids: readonly string[], lookUps: number): Promise<Percentiles> {
  const faults: Error[] = []
  const onError = (error: Error) => void faults.push(error)
  const pool = openPool({ databaseUrl, role: 'carillon_api', max: 1, applicationName: 'bench', onError })
  try {
    await pool.query(`select set_config('carillon.tenant_id', $1, false)`, [benchTenant])
    const answersMs: number[] = []
    for (let turn = 0; turn < lookUps; turn++) {
      const beganMs = monotonicMs()
      const found = await findNotifications(pool, benchTenant, [ids[turn % ids.length]!])
      answersMs.push(monotonicMs() - beganMs)
      if (found.length !== 1) throw new Error(`${ids[turn % ids.length]} was not found`)
    }
    if (faults[0]) throw faults[0]
    return percentilesOf(answersMs)
  } finally {
    await pool.end()
  }
}
