import type pg from 'pg'
import { claimDeliveries } from '../../../src/pipeline/send/claim-deliveries.ts'
import { openPool } from '../../../src/platform/db.ts'
import { createBoss } from '../../../src/queue/boss.ts'
import { deliveriesQueue } from '../../../src/queue/queues.ts'
import { mergeChunks } from '../../../src/workers/chunks.ts'
import type { LeanReport } from '../load/lean-generator.ts'
import type { ScenarioContext, ScenarioResult, TableLine } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import type { PhaseReport } from '../service/observer.ts'
import { startLeanChild, startServiceChild } from '../service/service-child.ts'
import type { ServiceCounts } from '../service/service-process.ts'
import { monotonicMs, type Percentiles, percentilesOf, perSecond } from '../statistics.ts'
import { seedBacklog } from './backlog-seed.ts'

const queue = deliveriesQueue('email', 'bulk')
const chunk = 500
/** Jobs of one fetch of the dispatcher: what single calls leave is fetched by that many. */
const fetchBatch = 20
const criticalPhase = 1
const criticalRate = 50

interface Claims {
  fetch: Percentiles
  /** The fetch and the claim. */
  both: Percentiles
  deliveriesPerSecond: number
}

/** What claiming costs while very many deliveries wait, and what a CRITICAL notification waits for in front of them. */
export async function backlog({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('backlog: a fresh database')
  const database = await server.fresh('migrated')
  const waiting = options.quick ? 100_000 : 1_000_000
  const claims = options.quick ? 60 : 500
  try {
    const { apiKey } = await seed(database.url)
    const measured = await withClient(database.url, async (client) => {
      // Of each kind as many as the fetches will take, and the rest in whole chunks behind them.
      const prepare = async (rest: number) => {
        await seedBacklog(client, { deliveries: claims * fetchBatch, chunk: 1 }, () => {})
        await seedBacklog(client, { deliveries: rest, chunk }, (written) => progress.show(`${written} deliveries`))
        await client.query('analyze carillon.deliveries, carillon.notifications, carillon.intents, pgboss.job')
        await client.query('checkpoint')
      }
      progress.begin('backlog: writing little')
      await prepare(claims * chunk)
      progress.begin('backlog: claiming with little waiting')
      const little = await measureClaims(database.url, claims)
      progress.begin(`backlog: writing ${waiting} deliveries`)
      await prepare(waiting)
      progress.begin(`backlog: claiming with ${waiting} waiting`)
      return { little, much: await measureClaims(database.url, claims) }
    })
    progress.begin('backlog: CRITICAL in front of it')
    const critical = await measureCritical(database.url, apiKey, Math.max(2, Math.ceil(options.seconds / 2)))
    const { little, much } = measured
    return {
      unit: 'deliveries',
      perSecond: much.chunks.deliveriesPerSecond,
      ...much.chunks.both,
      waiting,
      little,
      much,
      critical,
      remark: `fetch and claim of a job of ${chunk}, ${waiting} waiting, one connection`,
      more: [
        { name: 'the fetch alone', ...much.chunks.fetch },
        lineOf(`with next to nothing waiting`, little.chunks, `a job of ${chunk}`),
        lineOf(`${fetchBatch} jobs of one`, much.singles, `${waiting} waiting`),
        lineOf(`${fetchBatch} jobs of one, little waiting`, little.singles, ''),
        {
          name: 'CRITICAL until the provider',
          ...critical.start,
          remark: `${criticalRate}/s, while ${critical.bulkPerSecond}/s of the backlog are settled`,
        },
      ],
      faults: critical.firstFault ? [critical.firstFault] : [],
    }
  } finally {
    await database.drop()
  }
}

const lineOf = (name: string, { both, deliveriesPerSecond }: Claims, remark: string): TableLine => ({
  name,
  perSecond: deliveriesPerSecond,
  unit: 'deliveries',
  ...both,
  remark,
})

/** The jobs of one are the older ones, so they come first. */
async function measureClaims(databaseUrl: string, claims: number): Promise<{ singles: Claims; chunks: Claims }> {
  const faults: Error[] = []
  const onError = (error: Error) => void faults.push(error)
  const pool = openPool({ databaseUrl, role: 'carillon_worker', max: 2, applicationName: 'bench', onError })
  const boss = createBoss(pool, { supervise: false, onError })
  try {
    await boss.start()
    const singles = await claimAll(pool, boss, claims, fetchBatch)
    const chunks = await claimAll(pool, boss, claims, 1)
    if (faults[0]) throw faults[0]
    return { singles, chunks }
  } finally {
    await boss.stop({ graceful: false })
    await pool.end()
  }
}

async function claimAll(
  pool: pg.Pool,
  boss: ReturnType<typeof createBoss>,
  claims: number,
  batchSize: number,
): Promise<Claims> {
  const fetchMs: number[] = []
  const bothMs: number[] = []
  let claimed = 0
  for (let turn = 0; turn < claims; turn++) {
    const beganMs = monotonicMs()
    const jobs = await boss.fetch<{ tenant_id: string; ids: string[] }>(queue, { batchSize })
    fetchMs.push(monotonicMs() - beganMs)
    for (const merged of mergeChunks(
      jobs.map((job) => ({ ...job, retryCount: 0 })),
      chunk,
    ))
      claimed += (await claimDeliveries(pool, merged.chunk, 0, new Date())).length
    bothMs.push(monotonicMs() - beganMs)
    await boss.complete(queue, jobs)
  }
  const wanted = claims * (batchSize === 1 ? chunk : batchSize)
  if (claimed !== wanted) throw new Error(`${claimed} deliveries were claimed, and ${wanted} should have been`)
  const tookMs = bothMs.reduce((sum, ms) => sum + ms, 0)
  return {
    fetch: percentilesOf(fetchMs),
    both: percentilesOf(bothMs),
    deliveriesPerSecond: perSecond(claimed, tookMs),
  }
}

async function measureCritical(databaseUrl: string, apiKey: string, seconds: number) {
  const { child, graphqlUrl } = await startServiceChild({ databaseUrl, role: 'all' })
  const aim = { kind: 'send one', run: 'critical', phase: criticalPhase, extra: { priority: 'CRITICAL' } } as const
  const generator = await startLeanChild({ url: graphqlUrl, apiKey, connections: 32, aim })
  try {
    const from = await child.call<ServiceCounts>('counts')
    const load = await generator.call<LeanReport>('open', { rate: criticalRate, seconds, rampMs: 1_000 })
    const to = await child.call<ServiceCounts>('counts')
    const { start } = await child.call<PhaseReport>('phase', { phase: criticalPhase })
    const { p50Ms, p95Ms, p99Ms, maxMs, firstFault } = load
    return {
      start,
      accept: { p50Ms, p95Ms, p99Ms, maxMs },
      sent: load.done,
      bulkPerSecond: perSecond(to.settled - from.settled, to.atMs - from.atMs),
      firstFault,
    }
  } finally {
    await generator.stop()
    await child.stop()
  }
}
