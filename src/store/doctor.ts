import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface DatabaseFacts {
  /** As server_version_num: 180004. */
  versionNumber: number
  version: string
  database: string
  login: string
  /** All four roles of Carillon are there. */
  hasRoles: boolean
  /** What the login may take on; the API and the workers need theirs. */
  mayBeApi: boolean
  mayBeWorker: boolean
  now: Date
}

const factsSql: Statement = {
  name: 'doctor_facts',
  text: `with ours as (
    select rolname from pg_roles
    where rolname in ('carillon_api', 'carillon_worker', 'carillon_analyst', 'carillon_caller')
  )
  select current_setting('server_version_num')::int as "versionNumber", current_setting('server_version') as version,
         current_database() as database, session_user::text as login, (select count(*) = 4 from ours) as "hasRoles",
         coalesce((select pg_has_role(session_user, rolname, 'member') from ours where rolname = 'carillon_api'), false) as "mayBeApi",
         coalesce((select pg_has_role(session_user, rolname, 'member') from ours where rolname = 'carillon_worker'), false) as "mayBeWorker",
         clock_timestamp() as now`,
}

/** What a database says of itself, whether it holds anything of ours or not. Any role. */
export async function readDatabaseFacts(on: Queryable): Promise<DatabaseFacts> {
  const [facts] = await run<DatabaseFacts & Record<string, unknown>>(on, factsSql, [])
  return facts!
}

const partitionsSql: Statement = {
  name: 'doctor_partitions',
  text: `select p.table_name as "table", (max(p.day) - ($1::timestamptz at time zone 'UTC')::date)::int as "daysAhead"
  from carillon.partitions p group by p.table_name order by 2, 1`,
}

/** For each partitioned table, how many days after today have their partition; the worst first. Needs carillon_worker. */
export async function readPartitionsAhead(on: Queryable, now: Date): Promise<{ table: string; daysAhead: number }[]> {
  return run<{ table: string; daysAhead: number }>(on, partitionsSql, [now])
}

export interface QueueFacts {
  /** Jobs whose moment has come, with what was asked in SQL and is in no job yet, and the age of the oldest. */
  due: number
  oldestDueSeconds: number
  active: number
  /** Claimed, and without a heartbeat for twice its time: a worker died, and no other one takes over. */
  silent: number
  /** Jobs that failed time and again. */
  stuck: number
  openDeadLetters: number
}

const queueSql: Statement = {
  name: 'doctor_queue',
  text: `select
    count(*) filter (where j.state < 'active' and not j.blocked and j.start_after <= now() and j.name <> $1::text)::int
      + (select count(*)::int from carillon.asked a where coalesce(a.start_after <= now(), true)) as due,
    coalesce(extract(epoch from now() - least(carillon.oldest_asked(), min(j.start_after) filter (
      where j.state < 'active' and not j.blocked and j.start_after <= now() and j.name <> $1::text))), 0)::float8 as "oldestDueSeconds",
    count(*) filter (where j.state = 'active')::int as active,
    count(*) filter (where j.state = 'active'
      and j.heartbeat_on + 2 * j.heartbeat_seconds * interval '1 second' < now())::int as silent,
    count(*) filter (where j.name = $1::text and j.state < 'completed')::int as stuck,
    (select count(*)::int from carillon.dead_letters d where d.state = 'open') as "openDeadLetters"
  from pgboss.job j
  where j.state < 'completed'`,
}

/** How the queue is doing. Needs carillon_worker. */
export async function readQueueFacts(on: Queryable, stuckQueue: string): Promise<QueueFacts> {
  const [facts] = await run<QueueFacts & Record<string, unknown>>(on, queueSql, [stuckQueue])
  return facts!
}

export interface FeedFacts {
  lane: string
  enabled: boolean
  updatedAt: Date
}

const feedSql: Statement = {
  name: 'doctor_feed',
  text: `select lane, enabled, updated_at as "updatedAt" from carillon.feed_cursors order by lane`,
}

/** The followers of the log of status events, and when each last moved. Needs carillon_worker. */
export async function readFeedFacts(on: Queryable): Promise<FeedFacts[]> {
  return run<FeedFacts & Record<string, unknown>>(on, feedSql, [])
}
