import type { App } from '../../../src/app.ts'
import { intentOf } from '../load/load-item.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { startService } from '../service/service.ts'
import { medianOf, monotonicMs, type Percentiles, percentilesOf, perSecond, spreadOf } from '../statistics.ts'

const singleCallers = [64, 256, 1_024]
const bulkCallers = [2, 4]
const bulkSize = 1_000
const rampMs = 500

interface Round extends Percentiles {
  callers: number
  perSecond: number
}

/** How fast requests become durable: single ones through the coalescer, and bulk ones. No worker runs meanwhile. */
export async function accept({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('accept: a fresh database')
  const database = await server.fresh('migrated')
  const faults: string[] = []
  let app: App | undefined
  try {
    await seed(database.url)
    app = (await startService({ databaseUrl: database.url, role: 'api' })).app
    const coalescer = app.accept!
    let number = 0
    let accepted = 0
    const submit = async (size: number): Promise<void> => {
      const intendedMs = monotonicMs()
      const items = Array.from({ length: size }, () => ({ number: number++, phase: 0, intendedMs, run: database.name }))
      const answers = await coalescer.submit(items.map(intentOf))
      accepted += answers.filter(({ status }) => status === 'accepted').length
    }
    const measure = async (callers: number, size: number): Promise<Round> => {
      const answersMs: number[] = []
      const beganMs = monotonicMs()
      const fromMs = beganMs + rampMs
      const endMs = fromMs + seconds * 1_000
      let counted = 0
      await Promise.all(
        Array.from({ length: callers }, async () => {
          for (let now = beganMs; now < endMs; ) {
            await submit(size)
            const answeredMs = monotonicMs()
            if (answeredMs >= fromMs && answeredMs < endMs) {
              counted += size
              answersMs.push(answeredMs - now)
            }
            now = answeredMs
          }
        }),
      )
      return { callers, perSecond: perSecond(counted, endMs - fromMs), ...percentilesOf(answersMs) }
    }
    const seconds = Math.max(2, Math.ceil(options.seconds / 4))
    const best = async (name: string, callersToTry: readonly number[], size: number): Promise<Round[]> => {
      const rounds: Round[] = []
      for (let round = 1; round <= options.rounds; round++) {
        let fastest: Round | undefined
        for (const callers of callersToTry) {
          progress.begin(`accept: ${name}, ${callers} callers, round ${round} of ${options.rounds}`)
          const tried = await measure(callers, size)
          if (!fastest || tried.perSecond > fastest.perSecond) fastest = tried
        }
        rounds.push(fastest!)
      }
      return rounds
    }
    const bulk = await best(`bulk of ${bulkSize}`, bulkCallers, bulkSize)
    const singles = await best('single requests', singleCallers, 1)

    const stored = await withClient(database.url, async (client) => {
      const { rows } = await client.query<{ count: number }>('select count(*)::int as count from carillon.intents')
      return rows[0]!.count
    })
    if (stored !== number || accepted !== number) {
      faults.push(`${number} intents were submitted, ${accepted} accepted, and ${stored} are stored`)
    }
    const spread = spreadOf(singles.map((round) => round.perSecond))
    const bulkSpread = spreadOf(bulk.map((round) => round.perSecond))
    const callers = medianOf(singles.map((round) => round.callers))
    return {
      unit: 'intents',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      p50Ms: medianOf(singles.map((round) => round.p50Ms)),
      p95Ms: medianOf(singles.map((round) => round.p95Ms)),
      p99Ms: medianOf(singles.map((round) => round.p99Ms)),
      callers,
      bulkPerSecond: Math.round(bulkSpread.median),
      bulkSpread: spreadIfMany(options.rounds, bulkSpread),
      bulkP50Ms: medianOf(bulk.map((round) => round.p50Ms)),
      bulkP99Ms: medianOf(bulk.map((round) => round.p99Ms)),
      remark: `single, ${callers} callers; bulk of ${bulkSize}: ${Math.round(bulkSpread.median)}/s`,
      faults,
    }
  } finally {
    await app?.stop()
    await database.drop()
  }
}
