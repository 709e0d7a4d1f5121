import { type ClosedPhase, closedPhase } from '../phases.ts'
import { withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine } from '../scenario.ts'
import { seed } from '../seed.ts'
import { seedDecisions } from '../seed-decisions.ts'
import { medianOf, spreadOf, tenths } from '../statistics.ts'
import { bulkLoop, warmUpSeconds } from './pipeline.ts'

const decidedTenant = '0190a1b2-c3d4-7000-8000-00000000dec1'

/** The same load of three kinds, in turn, in one service: what the gates cost is the difference, whatever else the machine does. */
const ways = [
  { name: 'nothing set', tenant: 'plain', profile: { run: 'plain' } },
  { name: 'gates on', tenant: 'decided', profile: { run: 'gates' } },
  { name: 'gates on, by rule', tenant: 'decided', profile: { run: 'rules', asEvents: true } },
] as const
type Way = (typeof ways)[number]['name']

/** What a tenant pays that has rules, a category, limits, and preferences of everybody, beside one that has set nothing. */
export async function decisions(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  return withRig(context, 'decisions', {}, async (rig) => {
    progress.begin('decisions: people, preferences, limits and rules')
    const { apiKey } = await seed(rig.databaseUrl, decidedTenant)
    await seedDecisions(rig.client, decidedTenant, new Date())
    const generator = rig.startGenerator()
    const keys = { plain: rig.apiKey, decided: apiKey }
    const measured = new Map<Way, ClosedPhase[]>(ways.map(({ name }) => [name, []]))
    const run = async ({ tenant, profile }: (typeof ways)[number], seconds: number) => {
      await rig.aim(generator, 'graphql', profile, keys[tenant])
      return closedPhase(rig, generator, { ...bulkLoop, seconds })
    }

    for (const way of ways) {
      progress.begin(`decisions: warming up: ${way.name}`)
      await run(way, warmUpSeconds)
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const way of ways) {
        progress.begin(`decisions: ${way.name}, round ${round} of ${options.rounds}`)
        measured.get(way.name)!.push(await run(way, options.seconds))
      }
    }
    const { faults, told } = await rig.reconcile()
    return { ...summary(measured, options.rounds), ...told, faults }
  })
}

function summary(measured: ReadonlyMap<Way, ClosedPhase[]>, rounds: number): ScenarioResult {
  const rateOf = (way: Way) => medianOf(measured.get(way)!.map(({ perSecond }) => perSecond))
  const cpuOf = (way: Way) => medianOf(measured.get(way)!.map(({ costs }) => costs.cpuMicros.all ?? 0))
  const below = (way: Way) => Math.round((1 - rateOf(way) / rateOf('nothing set')) * 100)
  const lineOf = (name: Way, remark: string): TableLine => {
    const phases = measured.get(name)!
    const spread = spreadOf(phases.map(({ perSecond }) => perSecond))
    const middle = (of: (phase: ClosedPhase) => number) => tenths(medianOf(phases.map(of)))
    return {
      name,
      perSecond: Math.round(spread.median),
      unit: 'notifications',
      spread: spreadIfMany(rounds, spread),
      p50Ms: middle(({ end }) => end.p50Ms),
      p95Ms: middle(({ end }) => end.p95Ms),
      p99Ms: middle(({ end }) => end.p99Ms),
      remark,
    }
  }
  const saidOf = (way: Way) =>
    `${below(way)} % below in the rate; ${Math.round((cpuOf(way) / cpuOf('nothing set') - 1) * 100)} % more CPU a notification`
  const first = lineOf('nothing set', `closed loop, ${bulkLoop.window} under way; nothing set`)
  return {
    unit: 'notifications',
    ...first,
    perSecond: first.perSecond ?? null,
    remark: first.remark!,
    belowPercent: { gates: below('gates on'), rules: below('gates on, by rule') },
    more: (['gates on', 'gates on, by rule'] as const).map((way) => lineOf(way, saidOf(way))),
    costs: Object.fromEntries(ways.map(({ name }) => [name, measured.get(name)!.at(-1)!.costs])),
  }
}
