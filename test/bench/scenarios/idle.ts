import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../child.ts'
import { cpuMsOf, memoryOf, preciseCpuMsOf } from '../process-usage.ts'
import type { ScenarioContext, ScenarioResult } from '../scenario.ts'
import { seed } from '../seed.ts'
import { type DatabaseServer, postmasterOf } from '../servers.ts'
import { medianOf, monotonicMs, percentilesOf, tenths } from '../statistics.ts'

/** What `npm start` and the container run. */
const entry = fileURLToPath(new URL('../../../src/cli/carillon.js', import.meta.url))
const stopPatienceMs = 30_000
const query = 'query { notification(id: "00000000-0000-7000-8000-000000000100") { id } }'

/** The service with nothing to do, as it is started in production: what it costs, and how soon it is there. */
export async function idle({ options, server, kafka, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('idle: a fresh database')
  const brokers = (await kafka?.())?.brokers
  const database = await server.fresh('migrated')
  try {
    const { apiKey } = await seed(database.url)
    const env = {
      ...process.env,
      NODE_ENV: 'production',
      DATABASE_URL: database.url,
      HOST: '127.0.0.1',
      PORT: '0',
      KAFKA_BROKERS: brokers?.join(','),
      KAFKA_TOPIC_PREFIX: `${database.name}.`,
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'error',
      npm_lifecycle_event: 'start', // as under npm it ends with its parent, however that ends
    }
    const startsMs: number[] = []
    const starts = options.quick ? 2 : 5
    for (let turn = 1; turn <= starts; turn++) {
      progress.begin(`idle: start ${turn} of ${starts}`)
      const beganMs = monotonicMs()
      const service = await startService(env)
      try {
        await ask(service.url, apiKey)
        startsMs.push(monotonicMs() - beganMs)
        if (turn < starts) continue
        progress.begin('idle: settling')
        await sleep(options.quick ? 1_500 : 10_000) // topics, first garbage, first polls
        progress.begin('idle: looking on')
        const windowMs = options.quick ? 3_000 : 30_000
        return summary(await lookOn(server, database.name, service.process.pid!, windowMs), startsMs, !!brokers)
      } finally {
        await stop(service.process)
      }
    }
    throw new Error('unreachable')
  } finally {
    await database.drop()
  }
}

/** Resolves with its line "ready <url>". */
async function startService(env: NodeJS.ProcessEnv): Promise<{ process: ChildProcess; url: string }> {
  const service = spawn(process.execPath, [entry, 'start'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  endWithUs(service)
  const lines = createInterface(service.stdout!)
  const ready = Promise.withResolvers<string>()
  lines.on('line', (line) => {
    const url = /^ready (http\S+)/.exec(line)?.[1]
    if (url) ready.resolve(url)
  })
  service.once('error', ready.reject)
  service.once('exit', (code) => ready.reject(new Error(`the service ended by itself (${code})`)))
  try {
    return { process: service, url: await ready.promise }
  } catch (error) {
    await stop(service)
    throw error
  }
}

async function stop(service: ChildProcess): Promise<void> {
  if (service.exitCode !== null || service.signalCode !== null) return
  const exited = once(service, 'exit')
  const patience = setTimeout(() => service.kill('SIGKILL'), stopPatienceMs)
  service.kill('SIGTERM')
  await exited
  clearTimeout(patience)
}

async function ask(url: string, apiKey: string): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ query }),
  })
  const text = await response.text()
  if (text !== '{"data":{"notification":null}}') throw new Error(`the first request was answered: ${text}`)
}

interface Idle {
  cpuPercent?: number
  postgresCpuPercent?: number
  residentMiB?: number
  peakMiB?: number
  commitsPerSecond: number
}

async function lookOn(server: DatabaseServer, database: string, pid: number, windowMs: number): Promise<Idle> {
  const postmaster = await postmasterOf(server)
  const commits = async () => {
    // Sessions report what they did with a delay of up to a second while they work now and then.
    const [row] = await server.query<{ commits: number }>(
      'select xact_commit::float8 as commits from pg_stat_database where datname = $1',
      [database],
    )
    return row!.commits
  }
  const look = async () => ({
    atMs: monotonicMs(),
    service: preciseCpuMsOf(pid),
    postgres: cpuMsOf(postmaster),
    commits: await commits(),
  })
  const from = await look()
  await sleep(windowMs)
  const to = await look()
  const ms = to.atMs - from.atMs
  const percent = (before: number | undefined, after: number | undefined) =>
    before === undefined || after === undefined ? undefined : Math.round(((after - before) / ms) * 10_000) / 100
  const memory = memoryOf(pid)
  return {
    cpuPercent: percent(from.service, to.service),
    postgresCpuPercent: percent(from.postgres, to.postgres),
    residentMiB: memory?.residentMiB,
    peakMiB: memory?.peakMiB,
    commitsPerSecond: tenths(((to.commits - from.commits) / ms) * 1_000),
  }
}

function summary(found: Idle, startsMs: readonly number[], withRelay: boolean): ScenarioResult {
  const firstAnswerMs = Math.round(medianOf(startsMs))
  const told = [
    found.cpuPercent === undefined ? 'CPU not told by this system' : `${found.cpuPercent} % of a core`,
    found.postgresCpuPercent === undefined ? '' : `Postgres ${found.postgresCpuPercent} %`,
    found.residentMiB === undefined ? '' : `${found.residentMiB} MiB`,
    `${found.commitsPerSecond} commits/s`,
    `first answer ${firstAnswerMs} ms after the start`,
    `relay ${withRelay ? 'on' : 'OFF (--no-kafka)'}`,
  ]
  return {
    unit: '',
    perSecond: null,
    ...found,
    firstAnswerMs,
    starts: percentilesOf(startsMs),
    remark: told.filter(Boolean).join('; '),
  }
}
