import type { LeanReport } from '../load/lean-generator.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine } from '../scenario.ts'
import { countIntents, seed } from '../seed.ts'
import { startLeanChild, startServiceChild } from '../service/service-child.ts'
import { medianOf, spreadOf, tenths } from '../statistics.ts'
import { measureCoalescer } from './coalescer.ts'

const size = 1_000
const callersToTry = [4, 2]
const rampMs = 500

/** How fast bulk `sendNotifications` become durable, through HTTP, GraphQL and validation. No worker runs. */
export async function acceptBulk({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('accept-bulk: a fresh database')
  const database = await server.fresh('migrated')
  try {
    const { apiKey } = await seed(database.url)
    const seconds = Math.max(2, Math.ceil(options.seconds / 4))
    const rounds: (LeanReport & { callers: number })[] = []
    let accepted = 0
    const service = await startServiceChild({ databaseUrl: database.url, role: 'api' })
    const aim = { kind: 'send many', run: database.name, size } as const
    const generator = await startLeanChild({ url: service.graphqlUrl, apiKey, connections: 8, aim })
    try {
      for (let round = 1; round <= options.rounds; round++) {
        const tried: (LeanReport & { callers: number })[] = []
        for (const callers of options.quick ? callersToTry.slice(0, 1) : callersToTry) {
          progress.begin(`accept-bulk: ${callers} callers, round ${round} of ${options.rounds}`)
          tried.push({ callers, ...(await generator.call<LeanReport>('closed', { callers, seconds, rampMs })) })
        }
        accepted += tried.reduce((sum, { done }) => sum + done, 0)
        rounds.push(tried.reduce((best, one) => (one.perSecond > best.perSecond ? one : best)))
      }
    } finally {
      await generator.stop()
      await service.child.stop()
    }
    const more: TableLine[] = []
    if (!options.quick) {
      progress.begin('accept-bulk: the coalescer alone')
      const run = `${database.name}-direct`
      const direct = await measureCoalescer({ databaseUrl: database.url, run, callers: 4, size, seconds })
      accepted += direct.accepted
      more.push(direct.line)
    }
    const stored = await countIntents(database.url)
    const spread = spreadOf(rounds.map((round) => round.perSecond))
    const median = (of: (round: LeanReport) => number) => tenths(medianOf(rounds.map(of)))
    const fault = rounds.find(({ firstFault }) => firstFault)?.firstFault
    return {
      unit: 'intents',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      p50Ms: median(({ p50Ms }) => p50Ms),
      p95Ms: median(({ p95Ms }) => p95Ms),
      p99Ms: median(({ p99Ms }) => p99Ms),
      callers: medianOf(rounds.map(({ callers }) => callers)),
      generatorCores: median(({ cores }) => cores),
      directPerSecond: more[0]?.perSecond,
      remark: `GraphQL, ${size} a call, ${medianOf(rounds.map(({ callers }) => callers))} callers; times are of a whole call`,
      more,
      faults: [
        ...(fault ? [fault] : []),
        ...(stored === accepted ? [] : [`${accepted} were accepted, and ${stored} are stored`]),
      ],
    }
  } finally {
    await database.drop()
  }
}
