import type { Costs } from '../costs.ts'
import { type ClosedPhase, closedPhase, findHighest, type OpenPhase, openPhase } from '../phases.ts'
import { withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, type TableLine, untilProvider } from '../scenario.ts'
import type { MailProvider } from '../service/service.ts'
import { medianOf, spreadOf, tenths } from '../statistics.ts'

export const bulkLoop = { requestSize: 500, callers: 4, window: 10_000 }
/** Beside the second that a phase takes to fill. */
export const warmUpSeconds = 1
/** A request a message is slower: a smaller window fills it as well, and is drained sooner. */
const httpLoop = { ...bulkLoop, window: 4_000 }
/** As many as share commits well; more would only wait longer. */
const singleLoop = { requestSize: 1, callers: 128, window: 10_000 }
const highRate = 10_000

interface Sustained {
  best?: OpenPhase
  tried: OpenPhase[]
}

interface Measured {
  open: OpenPhase[]
  high: OpenPhase[]
  closed: ClosedPhase[]
  sustained: Sustained[]
  single?: ClosedPhase
  http?: ClosedPhase
}

/** The whole way of a notification: accept → plan → send → settle (→ Kafka), each recorded and committed. */
export async function pipeline(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const { rate, seconds, requestSize } = options
  return withRig(context, 'pipeline', { httpSink: true }, async (rig) => {
    const generator = rig.startGenerator()
    await rig.aim(generator, options.transport)
    const begin = (what: string, round?: number) =>
      progress.begin(`pipeline: ${what}${round ? `, round ${round} of ${options.rounds}` : ''}`)
    const rounds = async <T>(what: string, measure: () => Promise<T>): Promise<T[]> => {
      const results: T[] = []
      for (let round = 1; round <= options.rounds; round++) {
        begin(what, round)
        results.push(await measure())
      }
      return results
    }

    begin('warming up')
    await rig.service.call('useMailProvider', options.provider)
    await closedPhase(rig, generator, { ...bulkLoop, seconds: warmUpSeconds })

    const open = await rounds(`${rate}/s`, () => openPhase(rig, generator, { rate, seconds, requestSize }))
    const closed = await rounds('as fast as it goes', () => closedPhase(rig, generator, { ...bulkLoop, seconds }))
    const around = medianOf(closed.map(({ perSecond }) => perSecond))
    const trialSeconds = Math.max(3, Math.round(seconds / 2))
    const sustained = await rounds('the rate that lasts', () =>
      findHighest(
        around,
        (tried) => {
          begin(`does it last at ${tried}/s?`)
          return openPhase(rig, generator, { ...bulkLoop, rate: tried, seconds: trialSeconds })
        },
        (phase) => phase.sustained,
      ),
    )
    const highest = medianOf(sustained.map(({ best }) => best?.rate ?? 0))
    const high =
      highest >= highRate && rate !== highRate && !options.quick
        ? await rounds(`${highRate}/s`, () => openPhase(rig, generator, { rate: highRate, seconds, requestSize }))
        : []

    const shortly = { seconds: Math.max(2, Math.round(seconds / 4)) }
    const measured: Measured = { open, high, closed, sustained }
    if (options.transport === 'graphql') {
      begin('single calls')
      await rig.aim(generator, 'single')
      measured.single = await closedPhase(rig, generator, { ...singleLoop, ...shortly })
      await rig.aim(generator, options.transport)
    }
    if (options.provider === 'sink') {
      begin('a provider over HTTP')
      await rig.service.call('useMailProvider', 'http' satisfies MailProvider)
      measured.http = await closedPhase(rig, generator, { ...httpLoop, ...shortly })
    }

    const { faults, told } = await rig.reconcile()
    return { ...summary(context, measured), ...told, faults }
  })
}

/** One phase each: of the rates, the one that lasts. */
function costsOf({ open, closed, sustained, single, http }: Measured): Record<string, Costs> {
  const phases = {
    latency: open[0],
    'closed loop': closed[0],
    'the rate that lasts': sustained[0]?.best,
    'single calls': single,
    'HTTP provider': http,
  }
  return Object.fromEntries(Object.entries(phases).flatMap(([name, phase]) => (phase ? [[name, phase.costs]] : [])))
}

const median = <R>(rounds: readonly R[], of: (round: R) => number) => tenths(medianOf(rounds.map(of)))

export function latencies(open: readonly OpenPhase[]) {
  return {
    rate: open[0]!.rate,
    sustained: open.every((phase) => phase.sustained),
    p50Ms: median(open, ({ end }) => end.p50Ms),
    p95Ms: median(open, ({ end }) => end.p95Ms),
    p99Ms: median(open, ({ end }) => end.p99Ms),
    p99SpreadMs: spreadIfMany(open.length, spreadOf(open.map(({ end }) => end.p99Ms))),
    maxMs: median(open, ({ end }) => end.maxMs),
    startP50Ms: median(open, ({ start }) => start.p50Ms),
    startP95Ms: median(open, ({ start }) => start.p95Ms),
    startP99Ms: median(open, ({ start }) => start.p99Ms),
    acceptP50Ms: median(open, ({ load }) => load.answer.p50Ms),
    acceptP99Ms: median(open, ({ load }) => load.answer.p99Ms),
    refusals: open.reduce((sum, { load }) => sum + load.refusals, 0),
    generatorLagMs: tenths(Math.max(...open.map(({ load }) => load.generatorLagMs))),
  }
}

/** Of the times until the provider, in `latencies`. */
export const startOf = (of: ReturnType<typeof latencies>): TableLine =>
  untilProvider({ p50Ms: of.startP50Ms, p95Ms: of.startP95Ms, p99Ms: of.startP99Ms })

export const saidIfNotSustained = ({ sustained }: { sustained: boolean }): string =>
  sustained ? '' : ' (NOT SUSTAINED)'

const loopFigures = (closed: readonly ClosedPhase[]) => ({
  perSecond: median(closed, ({ perSecond }) => perSecond),
  spread: spreadIfMany(closed.length, spreadOf(closed.map(({ perSecond }) => perSecond))),
  startP50Ms: median(closed, ({ start }) => start.p50Ms),
  startP99Ms: median(closed, ({ start }) => start.p99Ms),
  p50Ms: median(closed, ({ end }) => end.p50Ms),
  p95Ms: median(closed, ({ end }) => end.p95Ms),
  p99Ms: median(closed, ({ end }) => end.p99Ms),
  acceptP50Ms: median(closed, ({ load }) => load.answer.p50Ms),
  acceptP99Ms: median(closed, ({ load }) => load.answer.p99Ms),
  serviceCores: median(closed, ({ serviceCores }) => serviceCores),
  relayLagEvents: median(closed, ({ relayLagEvents }) => relayLagEvents),
  relayDrainMs: median(closed, ({ relayDrainMs }) => relayDrainMs),
})

function loopLine(name: string, figures: ReturnType<typeof loopFigures> | undefined, remark: string): TableLine[] {
  if (!figures) return []
  const { perSecond, spread, p50Ms, p95Ms, p99Ms } = figures
  return [{ name, perSecond, unit: 'notifications', spread, p50Ms, p95Ms, p99Ms, remark }]
}

function summary({ options, kafka }: ScenarioContext, measured: Measured): ScenarioResult {
  const { open, high, closed, sustained } = measured
  const spread = spreadOf(sustained.map(({ best }) => best?.rate ?? 0))
  const atRate = latencies(open)
  const atHighRate = high.length > 0 ? latencies(high) : undefined
  const full = loopFigures(closed)
  const single = measured.single && loopFigures([measured.single])
  const httpProvider = measured.http && loopFigures([measured.http])
  const more: TableLine[] = [startOf(atRate)]
  if (atHighRate) {
    const { p50Ms, p95Ms, p99Ms } = atHighRate
    more.push({ name: `at ${highRate}/s`, p50Ms, p95Ms, p99Ms, remark: saidIfNotSustained(atHighRate).trim() })
    more.push({ ...startOf(atHighRate), name: '… until the provider' })
  }
  more.push(
    ...loopLine('closed loop', full, `${bulkLoop.window} under way`),
    ...loopLine('single calls', single, `sendNotification, ${singleLoop.callers} callers`),
    ...loopLine('HTTP provider', httpProvider, `a request a message, ${httpLoop.window} under way`),
  )
  return {
    unit: 'notifications',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(sustained.length, spread),
    ...atRate,
    tried: sustained.flatMap(({ tried }) =>
      tried.map(({ rate, drainMs, relayLagMs, sustained, start, load }) => ({
        rate,
        sustained,
        refusals: load.refusals,
        drainMs: Math.round(drainMs),
        relayLagMs: Math.round(relayLagMs),
        startP99Ms: start.p99Ms,
      })),
    ),
    atHighRate,
    full: { ...full, window: bulkLoop.window },
    single,
    httpProvider,
    costs: costsOf(measured),
    transport: options.transport,
    provider: options.provider,
    more,
    remark: [
      `the highest rate that lasts; times at ${options.rate}/s${saidIfNotSustained(atRate)}`,
      kafka ? 'relay on' : 'relay OFF',
      options.transport,
    ].join('; '),
  }
}
