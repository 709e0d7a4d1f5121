/** npm run bench: what a notification costs, beside what others' jobs and the bare rows cost on the same server. */
import { writeFile } from 'node:fs/promises'
import { killChildren } from './child.ts'
import { describeMachine, installedVersions } from './machine.ts'
import { type BenchOptions, readOptions, usage } from './options.ts'
import { watchOtherLoad } from './other-load.ts'
import { createProgress, type Progress } from './progress.ts'
import { ratiosOf } from './ratios.ts'
import { describeSetting, markdownTable, type Report, rateOf } from './report.ts'
import { loadScenario, usesKafka } from './scenarios.ts'
import { openBroker, openDatabaseServer } from './servers.ts'

const packages = ['pg', 'pg-boss', 'graphile-worker', 'bullmq', 'kafkajs', 'undici', 'kysely', 'eta']

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
    for (const [turn, name] of options.scenarios.entries()) {
      const scenario = await loadScenario(name)
      globalThis.gc?.()
      const context = { options, server, kafka: options.kafka ? broker.kafka : undefined, progress }
      const otherLoad = watchOtherLoad()
      const result = await Promise.race([scenario(context), interrupted])
      if (server.kind === 'embedded') result.othersCores = otherLoad()
      // An idle broker is no load, yet it holds memory and half a core for a start: it stays for a neighbour that wants it.
      if (!usesKafka(options.scenarios[turn + 1])) await broker.stop()
      done[name] = result
      progress.note(`${name}: ${rateOf(result)}${result.remark}`)
      faults.push(...(result.faults ?? []).map((fault) => `${name}: ${fault}`))
    }
    if (options.scenarios.some(usesKafka)) versions.kafka = `broker: ${broker.kind() ?? 'none'}`
    progress.end()
    const ratios = ratiosOf(done)
    const tookSeconds = Math.round((performance.now() - beganMs) / 1000)
    const report: Report = { machine, versions, options, startedAt, tookSeconds, scenarios: done, ratios }
    if (options.databaseUrl) report.options = { ...options, databaseUrl: '(given)' }
    if (options.jsonFile) await writeFile(options.jsonFile, `${JSON.stringify(report, undefined, 2)}\n`)
    console.log(`\n${describeSetting(report)}\n\n${markdownTable(done, ratios)}\n`)
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
