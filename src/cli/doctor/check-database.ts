import type pg from 'pg'
import type { Config } from '../../config/config.ts'
import { stuckQueue } from '../../queue/queues.ts'
import {
  type DatabaseFacts,
  readDatabaseFacts,
  readFeedFacts,
  readPartitionsAhead,
  readQueueFacts,
} from '../../store/doctor.ts'
import { checkReadiness } from '../../store/readiness.ts'
import { findDatabase, supportedVersions, withPool } from '../database.ts'
import { endingOf } from '../exit-codes.ts'
import type { Check } from './check.ts'

/** From the door inwards: what cannot be asked because something before it failed is left out. */
export async function* checkDatabase(config: Config, now: Date): AsyncIterable<Check> {
  let databaseUrl: string
  let facts: DatabaseFacts
  try {
    databaseUrl = await findDatabase(config)
    facts = await withPool(databaseUrl, undefined, readDatabaseFacts)
  } catch (error) {
    const remedy = config.DATABASE_URL
      ? 'see that Postgres runs and DATABASE_URL is right'
      : 'run "carillon start", or set DATABASE_URL'
    yield {
      name: 'database',
      verdict: 'fail',
      detail: endingOf(error).message.split(': ').slice(0, 2).join(': '),
      remedy,
    }
    return
  }
  yield { name: 'database', verdict: 'ok', detail: `${facts.database}, as ${facts.login}` }
  yield versionCheck(facts)
  yield clockCheck(facts, now)
  if (!facts.hasRoles) {
    yield { name: 'migrations', verdict: 'fail', detail: 'none applied', remedy: 'run "carillon migrate"' }
    return
  }
  const missing = [facts.mayBeApi ? [] : 'carillon_api', facts.mayBeWorker ? [] : 'carillon_worker'].flat()
  if (missing.length > 0) {
    const detail = `${facts.login} may not act as ${missing.join(' and ')}`
    yield { name: 'roles', verdict: 'fail', detail, remedy: `grant ${missing.join(', ')} to ${facts.login}` }
    return
  }
  yield { name: 'roles', verdict: 'ok', detail: 'the login may act as the API and as the workers' }
  yield* await withPool(databaseUrl, 'carillon_worker', (pool) => insideChecks(pool, config, now))
}

async function insideChecks(pool: pg.Pool, config: Config, now: Date): Promise<Check[]> {
  const { checks } = await checkReadiness(pool)
  const failed = [checks.migrations, checks.queue].find((check) => check && !check.ok)
  if (failed) {
    return [
      { name: 'migrations', verdict: 'fail', detail: failed.detail ?? 'missing', remedy: 'run "carillon migrate"' },
    ]
  }
  return [
    { name: 'migrations', verdict: 'ok', detail: 'all of this release' },
    await partitionsCheck(pool, config.PARTITIONS_AHEAD_DAYS, now),
    ...(await queueChecks(pool)),
    await feedCheck(pool, config, now),
  ]
}

function versionCheck({ versionNumber, version }: DatabaseFacts): Check {
  const major = Math.trunc(versionNumber / 10_000)
  const { least, most } = supportedVersions
  if (major >= least && major <= most) return { name: 'version', verdict: 'ok', detail: `Postgres ${version}` }
  return {
    name: 'version',
    verdict: major < least ? 'fail' : 'warn',
    detail: `Postgres ${version}, and this release is tested with ${least} to ${most}`,
    remedy: major < least ? `upgrade Postgres to ${most}` : 'upgrade Carillon when there is a release for it',
  }
}

const toleratedSkewSeconds = 5

function clockCheck(facts: DatabaseFacts, now: Date): Check {
  const skew = Math.round(Math.abs(facts.now.getTime() - now.getTime()) / 1_000)
  if (skew <= toleratedSkewSeconds) return { name: 'clock', verdict: 'ok', detail: 'agrees with the database' }
  return {
    name: 'clock',
    verdict: 'warn',
    detail: `${skew} s apart from the database's`,
    remedy: 'run NTP on both machines: schedules and expiries go by these clocks',
  }
}

async function partitionsCheck(pool: pg.Pool, wantedDays: number, now: Date): Promise<Check> {
  const [worst] = await readPartitionsAhead(pool, now)
  const remedy = 'run "carillon maintain", and see that a worker runs: it does so every hour'
  if (!worst) return { name: 'partitions', verdict: 'fail', detail: 'there are none', remedy }
  const detail = `${worst.daysAhead} days ahead (${worst.table})`
  if (worst.daysAhead < 1) return { name: 'partitions', verdict: 'fail', detail, remedy }
  // The hourly duty may be up to an hour behind midnight.
  if (worst.daysAhead < wantedDays - 1) return { name: 'partitions', verdict: 'warn', detail, remedy }
  return { name: 'partitions', verdict: 'ok', detail }
}

const lateSeconds = 60

async function queueChecks(pool: pg.Pool): Promise<Check[]> {
  const facts = await readQueueFacts(pool, stuckQueue)
  const age = Math.round(facts.oldestDueSeconds)
  const isLate = age > lateSeconds
  return [
    {
      name: 'queue',
      verdict: isLate || facts.silent > 0 ? 'warn' : 'ok',
      detail: `${facts.due} jobs due${facts.due > 0 ? `, the oldest for ${age} s` : ''}; ${facts.active} in work, ${facts.silent} without a heartbeat`,
      ...(isLate || facts.silent > 0
        ? { remedy: 'see that workers run ("carillon start --role worker"), or add one' }
        : {}),
    },
    {
      name: 'stuck jobs',
      verdict: facts.stuck > 0 ? 'fail' : 'ok',
      detail: `${facts.stuck}`,
      ...(facts.stuck > 0
        ? { remedy: 'jobs that failed time and again: look for their errors in the log of the workers' }
        : {}),
    },
    {
      name: 'dead letters',
      verdict: facts.openDeadLetters > 0 ? 'warn' : 'ok',
      detail: `${facts.openDeadLetters} open`,
      ...(facts.openDeadLetters > 0 ? { remedy: 'see docs/operations.md, dead letters' } : {}),
    },
  ]
}

async function feedCheck(pool: pg.Pool, config: Config, now: Date): Promise<Check> {
  const feeds = (await readFeedFacts(pool)).filter(({ enabled }) => enabled)
  if (feeds.length === 0)
    return { name: 'relay', verdict: 'off', detail: 'no lane is enabled; events wait in the database' }
  if (config.KAFKA_BROKERS.length === 0) {
    return {
      name: 'relay',
      verdict: 'warn',
      detail: `${feeds.map(({ lane }) => lane).join(', ')} is enabled, and KAFKA_BROKERS is not set here`,
      remedy: 'retention waits for that lane: start a relay with KAFKA_BROKERS, or one without to switch it off',
    }
  }
  const since = feeds.map(
    ({ lane, updatedAt }) => `${lane} moved ${Math.round((now.getTime() - updatedAt.getTime()) / 1_000)} s ago`,
  )
  return { name: 'relay', verdict: 'ok', detail: since.join(', ') }
}
