import { randomUUID } from 'node:crypto'
import { inTransaction, openPool } from '../../../src/platform/db.ts'
import { bindLogin } from '../../../src/store/role-bindings.ts'
import { startChild } from '../child.ts'
import { benchTenant } from '../load/load-item.ts'
import type { SqlReport, SqlTarget } from '../load/sql-process.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine } from '../scenario.ts'
import { countIntents, seed } from '../seed.ts'
import type { DatabaseServer } from '../servers.ts'
import { startServiceChild } from '../service/service-child.ts'
import { medianOf, spreadOf, tenths } from '../statistics.ts'

const clients = 8
const rampMs = 500

/** carillon.notify from plain SQL clients with the rights of an application, without a worker and with one. */
export async function sqlNotify(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, server, progress } = context
  progress.begin('sql-notify: a fresh database')
  const database = await server.fresh('migrated')
  const login = `${database.name}_shop`
  const caller = startChild(new URL('../load/sql-process.ts', import.meta.url))
  try {
    await seed(database.url)
    const databaseUrl = await bindShop(server, database.url, login)
    await caller.call('aim', { databaseUrl, run: database.name, clients } satisfies SqlTarget)
    const seconds = Math.max(2, Math.ceil(options.seconds / 2))
    const measure = async (name: string): Promise<SqlReport[]> => {
      const reports: SqlReport[] = []
      for (let round = 1; round <= options.rounds; round++) {
        progress.begin(`sql-notify: ${name}, round ${round} of ${options.rounds}`)
        reports.push(await caller.call<SqlReport>('call', { seconds, rampMs }))
      }
      return reports
    }
    const alone = await measure('no worker')
    const worker = await startServiceChild({ databaseUrl: database.url, role: 'worker' })
    let beside: SqlReport[]
    try {
      beside = await measure('a worker beside')
    } finally {
      await worker.child.stop()
    }
    const called = [...alone, ...beside].reduce((sum, { calls }) => sum + calls, 0)
    const stored = await countIntents(database.url)
    const { name: _name, ...headline } = lineOf('', alone)
    return {
      ...headline,
      unit: 'intents',
      perSecond: headline.perSecond ?? null,
      clients,
      withWorkerPerSecond: Math.round(medianOf(beside.map((report) => report.perSecond))),
      remark: `carillon.notify, ${clients} clients, each call a transaction; no worker`,
      more: [{ ...lineOf('a worker beside', beside), remark: 'which delivers what it can meanwhile' }],
      faults: stored === called ? [] : [`${called} calls were answered, and ${stored} intents are stored`],
    }
  } finally {
    await caller.stop()
    await database.drop()
    await server.query(`drop role if exists ${login}`)
  }
}

/** A login as `carillon roles bind --as caller` leaves it. */
async function bindShop(server: DatabaseServer, databaseUrl: string, login: string): Promise<string> {
  const password = randomUUID()
  await server.query(`create role ${login} login password '${password}'`)
  const pool = openPool({ databaseUrl, max: 1, applicationName: 'bench', onError: () => {} }) // the query tells of it
  try {
    await inTransaction(pool, (trx) => bindLogin(trx, { login, tenantId: benchTenant, as: 'caller', now: new Date() }))
  } finally {
    await pool.end()
  }
  const url = new URL(databaseUrl)
  url.username = login
  url.password = password
  return url.href
}

function lineOf(name: string, reports: readonly SqlReport[]): TableLine {
  const spread = spreadOf(reports.map((report) => report.perSecond))
  const median = (of: (report: SqlReport) => number) => tenths(medianOf(reports.map(of)))
  return {
    name,
    perSecond: Math.round(spread.median),
    unit: 'intents',
    spread: spreadIfMany(reports.length, spread),
    p50Ms: median(({ p50Ms }) => p50Ms),
    p95Ms: median(({ p95Ms }) => p95Ms),
    p99Ms: median(({ p99Ms }) => p99Ms),
  }
}
