import { type Queryable, run, type Statement } from '../platform/db.ts'

/** What the database says of the service's health; read at a scrape. */
export interface ServiceState {
  /** Of each family of queues with due jobs, or intents that are in no job yet: how long the oldest has been due, in seconds. */
  oldestDue: { family: string; lane: string; seconds: number }[]
  outbox: { lane: string; seconds: number; events: number }[]
  deadLetters: { channel: string; open: number }[]
  /** Days that have partitions, from today, of the table with the fewest. */
  partitionsAheadDays: number
}

/** Batches of the log that a scrape counts at most. */
export const countedAtMost = 10_000

const oldestDueSql: Statement = {
  name: 'service_state_oldest_due',
  text: `select regexp_replace(d.name, '-(critical|bulk)$', '') as family,
    coalesce(substring(d.name from '-(critical|bulk)$'), '') as lane,
    extract(epoch from $1::timestamptz - min(d.since))::float8 as seconds
  from (
    select j.name, j.start_after as since from pgboss.job j
    where j.state in ('created', 'retry') and j.start_after <= $1::timestamptz
    union all
    select carillon.intents_queue(a.priority), coalesce(a.start_after, carillon.id_time(a.id)) from carillon.asked a
    where coalesce(a.start_after <= $1::timestamptz, true)
  ) d
  group by 1, 2`,
}

const outboxSql: Statement = {
  name: 'service_state_outbox',
  text: `select c.lane, coalesce(sum(e.size), 0)::int as events,
    coalesce(extract(epoch from $1::timestamptz - min(e.at)), 0)::float8 as seconds
  from carillon.feed_cursors c
  left join lateral (
    select s.at, s.size from carillon.status_log s
    where (s.xid, s.id) > (c.xid, c.id) order by s.xid, s.id limit $2::int
  ) e on true
  where c.enabled
  group by c.lane`,
}

const deadLettersSql: Statement = {
  name: 'service_state_dead_letters',
  text: `select l.channel::text as channel, count(*)::int as open
  from carillon.dead_letters l where l.state = 'open' group by l.channel`,
}

const partitionsSql: Statement = {
  name: 'service_state_partitions',
  text: `select coalesce(min(p.last - ($1::timestamptz at time zone 'UTC')::date), 0)::int as days
  from (select max(day) as last from carillon.partitions group by table_name) p`,
}

/** Reads it all, on a connection that sees every tenant and the queues (role carillon_worker). */
export async function readServiceState(on: Queryable, now: Date): Promise<ServiceState> {
  const oldestDue = await run<ServiceState['oldestDue'][number]>(on, oldestDueSql, [now])
  const outbox = await run<ServiceState['outbox'][number]>(on, outboxSql, [now, countedAtMost])
  const deadLetters = await run<ServiceState['deadLetters'][number]>(on, deadLettersSql, [])
  const [partitions] = await run<{ days: number }>(on, partitionsSql, [now])
  return { oldestDue, outbox, deadLetters, partitionsAheadDays: partitions!.days }
}
