import type { Child } from '../child.ts'
import type { LeanReport } from '../load/lean-generator.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine } from '../scenario.ts'
import { countIntents, seed } from '../seed.ts'
import { startLeanChild, startServiceChild } from '../service/service-child.ts'
import { medianOf, spreadOf, tenths } from '../statistics.ts'
import { measureCoalescer } from './coalescer.ts'

/** Calls a second, of the latency phase. */
const latencyRate = 5_000
const closedCallers = 256
const connections = 512
const rampMs = 500
/** Of what the closed loop reached, the open loops that are tried: upwards while they last, else downwards until one does. */
const upwards = [1, 1.08, 1.16]
const downwards = [0.93, 0.86, 0.8, 0.7, 0.6]
/** A rate is sustained when its last answer is this late at most: no queue has grown. */
const sustainedDrainMs = 150

interface Round {
  latency: LeanReport
  closed: LeanReport
  sustained?: LeanReport & { rate: number }
}

/** Single `sendNotification` calls over HTTP until each is durable: their latency, and the highest rate that lasts. */
export async function acceptSingle({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('accept-single: a fresh database')
  const database = await server.fresh('migrated')
  try {
    const { apiKey } = await seed(database.url)
    const seconds = Math.max(2, Math.ceil(options.seconds / 2))
    const rounds: Round[] = []
    let accepted = 0
    const service = await startServiceChild({ databaseUrl: database.url, role: 'api' })
    const aim = { kind: 'send one', run: database.name } as const
    const generator = await startLeanChild({ url: service.graphqlUrl, apiKey, connections, aim })
    try {
      progress.begin('accept-single: warming up')
      accepted += (
        await generator.call<LeanReport>('closed', { callers: 64, seconds: options.quick ? 1 : 2, rampMs: 0 })
      ).done
      for (let round = 1; round <= options.rounds; round++) {
        const of = `round ${round} of ${options.rounds}`
        progress.begin(`accept-single: ${latencyRate}/s, ${of}`)
        const latency = await generator.call<LeanReport>('open', { rate: latencyRate, seconds, rampMs })
        progress.begin(`accept-single: ${closedCallers} callers, ${of}`)
        const closed = await generator.call<LeanReport>('closed', { callers: closedCallers, seconds: 2, rampMs })
        const { tried, sustained } = await findSustained(generator, closed.perSecond, seconds, (rate) =>
          progress.begin(`accept-single: is ${rate}/s sustained, ${of}`),
        )
        accepted += [latency, closed, ...tried].reduce((sum, { done }) => sum + done, 0)
        rounds.push({ latency, closed, sustained })
      }
    } finally {
      await generator.stop()
      await service.child.stop()
    }
    const more = [closedLine(rounds)]
    if (!options.quick) {
      progress.begin('accept-single: the coalescer alone')
      const run = `${database.name}-direct`
      const direct = await measureCoalescer({ databaseUrl: database.url, run, callers: 1_024, size: 1, seconds: 4 })
      accepted += direct.accepted
      more.push(direct.line)
    }
    const stored = await countIntents(database.url)
    const faults = rounds.flatMap(({ latency, closed }) => latency.firstFault ?? closed.firstFault ?? [])
    if (stored !== accepted) faults.push(`${accepted} were accepted, and ${stored} are stored`)
    return { ...summary(rounds), more, faults }
  } finally {
    await database.drop()
  }
}

async function findSustained(
  generator: Child,
  closedRate: number,
  seconds: number,
  onTry: (rate: number) => void,
): Promise<{ tried: LeanReport[]; sustained?: LeanReport & { rate: number } }> {
  const tried: LeanReport[] = []
  const lasts = async (share: number) => {
    const rate = Math.round((closedRate * share) / 100) * 100
    onTry(rate)
    const report = await generator.call<LeanReport>('open', { rate, seconds, rampMs })
    tried.push(report)
    return report.notDone === 0 && report.drainMs <= sustainedDrainMs ? { ...report, rate } : undefined
  }
  let sustained: (LeanReport & { rate: number }) | undefined
  for (const share of upwards) {
    const higher = await lasts(share)
    if (!higher) break
    sustained = higher
  }
  for (const share of downwards) sustained ??= await lasts(share)
  return { tried, sustained }
}

function summary(rounds: readonly Round[]): ScenarioResult {
  const median = (of: (round: Round) => number) => tenths(medianOf(rounds.map(of)))
  const spread = spreadOf(rounds.map(({ sustained }) => sustained?.rate ?? 0))
  const late = rounds.some(({ latency }) => latency.drainMs > sustainedDrainMs)
  return {
    unit: 'intents',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(rounds.length, spread),
    p50Ms: median(({ latency }) => latency.p50Ms),
    p95Ms: median(({ latency }) => latency.p95Ms),
    p99Ms: median(({ latency }) => latency.p99Ms),
    maxMs: median(({ latency }) => latency.maxMs),
    latencyRate,
    latencySustained: !late,
    atHighest: {
      p50Ms: median(({ sustained }) => sustained?.p50Ms ?? Number.NaN),
      p99Ms: median(({ sustained }) => sustained?.p99Ms ?? Number.NaN),
    },
    generatorLagMs: tenths(Math.max(...rounds.map(({ latency }) => latency.lagMs))),
    generatorCores: median(({ latency }) => latency.cores),
    remark: `highest sustained rate of single calls; times at ${latencyRate}/s${late ? ' (NOT SUSTAINED)' : ''}`,
  }
}

function closedLine(rounds: readonly Round[]): TableLine {
  const median = (of: (report: LeanReport) => number) => tenths(medianOf(rounds.map(({ closed }) => of(closed))))
  return {
    name: 'as fast as it goes',
    perSecond: Math.round(median((report) => report.perSecond)),
    unit: 'intents',
    p50Ms: median((report) => report.p50Ms),
    p95Ms: median((report) => report.p95Ms),
    p99Ms: median((report) => report.p99Ms),
    remark: `a closed loop of ${closedCallers} callers`,
  }
}
