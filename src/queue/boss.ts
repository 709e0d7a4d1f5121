import type pg from 'pg'
import { PgBoss } from 'pg-boss'
import { statement } from '../platform/db.ts'
import { intentsQueue, maintenanceQueue, stuckQueue, workQueues } from './queues.ts'

const loosenSql = statement('queue/loosen_job_tables')

const tenYearsSeconds = 10 * 365 * 86_400

/**
 * pg-boss on one of our pools. We drive fetch and complete ourselves (its workers poll at half a second at best); it
 * keeps retries, heartbeats, schedules and the clearing of finished jobs.
 */
export function createBoss(pool: pg.Pool, options: { supervise: boolean; onError: (error: Error) => void }): PgBoss {
  const boss = new PgBoss({
    db: { executeSql: preparing(pool) },
    schema: 'pgboss',
    migrate: false,
    createSchema: false,
    supervise: options.supervise,
    schedule: options.supervise,
    reindex: false, // needs the owner's rights; the supervisor runs as the worker
    superviseIntervalSeconds: 5,
    monitorIntervalSeconds: 5,
    maintenanceIntervalSeconds: 60,
  })
  boss.on('error', options.onError)
  return boss
}

const mostPrepared = 500

/** pg-boss's statements are few texts, said again and again: parsed and planned once a connection. */
function preparing(pool: pg.Pool) {
  const names = new Map<string, string>()
  return (text: string, values?: unknown[]) => {
    if (!values?.length && !/^\s*with\b/i.test(text)) return pool.query(text) // it may be several statements
    if (!names.has(text) && names.size < mostPrepared) names.set(text, `pg-boss/${names.size + 1}`)
    return pool.query({ name: names.get(text), text, values })
  }
}

/** Each request inserts into these: a table of their own has half the indexes of the one that all policies share. */
const ownTable = new Set([intentsQueue('critical'), intentsQueue('bulk')])

/** Installs or upgrades pg-boss and makes our queues; called by migrate, as the owner of the database. */
export async function installQueues(pool: pg.Pool): Promise<void> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values as unknown[]) },
    schema: 'pgboss',
    supervise: false,
    schedule: false,
  })
  let fault: Error | undefined
  boss.on('error', (error) => {
    fault ??= error
  })
  await boss.start()
  try {
    const existing = new Set((await boss.getQueues()).map((queue) => queue.name))
    const specs = [
      { name: stuckQueue, retentionSeconds: tenYearsSeconds, deleteAfterSeconds: 0 },
      { name: maintenanceQueue, retryLimit: 3, deleteAfterSeconds: 3600 },
      ...workQueues.map((queue) => ({
        ...queue,
        retentionSeconds: tenYearsSeconds, // a chunk waits for as long as there is no worker
        deleteAfterSeconds: 300,
        retryLimit: 30,
        retryDelay: 1,
        retryBackoff: true,
        retryDelayMax: 300,
        deadLetter: stuckQueue,
      })),
    ]
    for (const { name, ...options } of specs) {
      if (existing.has(name)) await boss.updateQueue(name, options)
      else await boss.createQueue(name, { ...options, partition: ownTable.has(name) })
    }
    await pool.query(loosenSql.text)
  } finally {
    await boss.stop({ graceful: false })
  }
  if (fault) throw fault
}
