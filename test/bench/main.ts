/** npm run bench: what a notification costs, beside what others' jobs and the bare rows cost on the same server. */
import { writeFile } from 'node:fs/promises'
import { killChildren } from './child.ts'
import { describeMachine, installedVersions } from './machine.ts'
import { type BenchOptions, readOptions, type ScenarioName, usage } from './options.ts'
import { watchOtherLoad } from './other-load.ts'
import { createProgress, type Progress } from './progress.ts'
import { describeSetting, type Report, ratiosOf, table } from './report.ts'
import type { Scenario } from './scenario.ts'
import { accept } from './scenarios/accept.ts'
import { burst } from './scenarios/burst.ts'
import { copyFloor } from './scenarios/copy-floor.ts'
import { fairness } from './scenarios/fairness.ts'
import { fanOut } from './scenarios/fan-out.ts'
import { graphileWorker } from './scenarios/graphile-worker.ts'
import { heldSnapshot } from './scenarios/held-snapshot.ts'
import { pgBoss } from './scenarios/pg-boss.ts'
import { pipeline } from './scenarios/pipeline.ts'
import { soak } from './scenarios/soak.ts'
import { openBroker, openDatabaseServer } from './servers.ts'

const scenarios: Record<ScenarioName, Scenario> = {
  pipeline,
  'held-snapshot': heldSnapshot,
  burst,
  'fan-out': fanOut,
  soak,
  fairness,
  accept,
  'pg-boss': pgBoss,
  'graphile-worker': graphileWorker,
  'copy-floor': copyFloor,
}

/** With the relay on. The broker stays up from one to the next, and the others do not share the machine with it. */
const withBroker: readonly ScenarioName[] = ['pipeline', 'held-snapshot', 'burst', 'fan-out', 'soak', 'fairness']

const packages = ['pg', 'pg-boss', 'graphile-worker', 'kafkajs', 'undici', 'kysely', 'eta']

async function main(): Promise<void> {
  const options = optionsOrExit(process.argv.slice(2))
  if (options === 'help') {
    console.log(usage)
    return
  }
  const progress = createProgress()
  const interrupted = new Promise<never>((_, reject) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => reject(new Error(`ended by ${name}`)))
  })
  interrupted.catch(() => {}) // told to whoever waits for a scenario
  await run(options, progress, interrupted)
}

function optionsOrExit(argv: readonly string[]): BenchOptions | 'help' {
  try {
    return readOptions(argv)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(64) // EX_USAGE
  }
}

async function run(options: BenchOptions, progress: Progress, interrupted: Promise<never>): Promise<void> {
  const startedAt = new Date().toISOString()
  const beganMs = performance.now()
  const machine = describeMachine()
  progress.begin('starting Postgres')
  const server = await openDatabaseServer(options.databaseUrl, progress.note)
  const broker = openBroker(progress.note)
  try {
    const versions: Record<string, unknown> = {
      node: process.version,
      postgres: `${server.version} (${server.kind})`,
      ...installedVersions(packages),
      postgresSettings: server.settings,
    }
    const done: Report['scenarios'] = {}
    const faults: string[] = []
    for (const [index, name] of options.scenarios.entries()) {
      globalThis.gc?.()
      const context = { options, server, kafka: options.kafka ? broker.kafka : undefined, progress }
      const otherLoad = watchOtherLoad()
      const result = await Promise.race([scenarios[name](context), interrupted])
      if (server.kind === 'embedded') result.othersCores = otherLoad()
      const next = options.scenarios[index + 1]
      if (!next || !withBroker.includes(next)) await broker.stop()
      done[name] = result
      progress.note(`${name}: ${result.perSecond} ${result.unit}/s (${result.remark})`)
      faults.push(...(result.faults ?? []).map((fault) => `${name}: ${fault}`))
    }
    if (options.scenarios.some((name) => withBroker.includes(name)))
      versions.kafka = `broker: ${broker.kind() ?? 'none'}`
    progress.end()
    const ratios = ratiosOf(done)
    const tookSeconds = Math.round((performance.now() - beganMs) / 1000)
    const report: Report = { machine, versions, options, startedAt, tookSeconds, scenarios: done, ratios }
    if (options.databaseUrl) report.options = { ...options, databaseUrl: '(given)' }
    if (options.jsonFile) await writeFile(options.jsonFile, `${JSON.stringify(report, undefined, 2)}\n`)
    console.log(`\n${describeSetting(report)}\n\n${table(done, ratios)}\n`)
    for (const fault of faults) console.error(`DOES NOT ADD UP  ${fault}`)
    if (faults.length > 0) process.exitCode = 1
    else if (done.pipeline)
      console.log('reconciled: accepted = settled + pending, attempts = provider calls, no event missing')
  } finally {
    progress.end()
    killChildren() // none is left, unless the run was broken off
    await broker.stop()
    await server.stop()
  }
}

try {
  await main()
} catch (error) {
  console.error(error)
  // What a scenario has left open must not keep us: the servers are down, and the children end with us.
  process.exit(1)
}
