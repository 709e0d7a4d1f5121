import { type Priority, priorities, priorityName } from '../../../src/domain/priority.ts'
import type { Child } from '../child.ts'
import type { LoadReport } from '../load/generator.ts'
import { closedPhase } from '../phases.ts'
import { type Rig, withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany, untilProvider } from '../scenario.ts'
import type { PhaseReport } from '../service/observer.ts'
import type { ByPriority, StartOrder } from '../service/start-order.ts'
import { medianOf, monotonicMs, type Percentiles, perSecond, spreadOf, tenths } from '../statistics.ts'
import { bulkLoop, warmUpSeconds } from './pipeline.ts'

const rate = 40_000
const requestSize = 500
/** Of them CRITICAL, each in a call of its own: an alert is not part of a newsletter. */
const criticalRate = 1_000

/** Of each 99 others, spread evenly: 9 HIGH, 60 NORMAL, 30 LOW. */
const mix = Array.from({ length: 99 }, (_, index): Priority => {
  if (index % 11 === 0) return 'HIGH'
  return index % 3 === 1 && index < 96 ? 'LOW' : 'NORMAL'
})

interface Burst {
  /** Of the bulk, and of CRITICAL. */
  loads: [LoadReport, LoadReport]
  report: PhaseReport
  order: StartOrder
  /** Until the last was accepted. */
  acceptedMs: number
  drainMs: number
  drainedPerSecond: number
}

/** Far more than the service can send, for seconds: all of it is accepted, and goes out in the order of priority. */
export async function burst(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const seconds = options.quick ? 0.5 : 10
  return withRig(context, 'burst', {}, async (rig) => {
    const generators = { bulk: rig.startGenerator(), critical: rig.startGenerator() }
    progress.begin('burst: warming up')
    await rig.aim(generators.bulk, options.transport)
    await closedPhase(rig, generators.bulk, { ...bulkLoop, seconds: warmUpSeconds })
    await rig.aim(generators.bulk, options.transport, { priorities: mix })
    await rig.aim(generators.critical, options.transport, { run: 'critical', priorities: ['CRITICAL'] })
    const bursts: Burst[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`burst: ${rate}/s for ${seconds} s, round ${round} of ${options.rounds}`)
      bursts.push(await burstOnce(rig, generators, seconds))
    }
    const { faults, told } = await rig.reconcile()
    for (const { loads } of bursts) {
      const accepted = loads[0].accepted + loads[1].accepted
      if (accepted !== rate * seconds) faults.push(`accepted: ${accepted} of ${rate * seconds}`)
    }
    return { ...summary(bursts, seconds), ...told, faults }
  })
}

async function burstOnce(
  rig: Rig,
  { bulk, critical }: Record<'bulk' | 'critical', Child>,
  seconds: number,
): Promise<Burst> {
  const phase = rig.nextPhase()
  const beganMs = monotonicMs()
  const loads = await Promise.all([
    bulk.call<LoadReport>('open', { phase, seconds, rate: rate - criticalRate, requestSize }),
    critical.call<LoadReport>('open', { phase, seconds, rate: criticalRate, requestSize: 1 }),
  ])
  for (const load of loads) rig.tally(load)
  const drainFromMs = monotonicMs()
  const { settled } = await rig.counts()
  const drainMs = await rig.drain()
  const after = await rig.counts()
  return {
    loads,
    acceptedMs: drainFromMs - beganMs,
    drainMs,
    drainedPerSecond: perSecond(after.settled - settled, drainMs),
    report: await rig.service.call<PhaseReport>('phase', { phase }),
    order: await rig.service.call<StartOrder>('startOrder', { phase, drainFromMs }),
  }
}

function summary(bursts: readonly Burst[], seconds: number): ScenarioResult {
  const median = (of: (burst: Burst) => number) => tenths(medianOf(bursts.map(of)))
  const spread = spreadOf(bursts.map(({ drainedPerSecond }) => drainedPerSecond))
  const critical = ({ order }: Burst): Percentiles => order.sinceIntended[priorities.CRITICAL]!
  const byName = <T>(values: ByPriority<T>) =>
    Object.fromEntries(Object.entries(values).map(([priority, value]) => [priorityName(Number(priority)), value]))
  const figures = {
    acceptedSeconds: median(({ acceptedMs }) => acceptedMs / 1_000),
    drainSeconds: median(({ drainMs }) => drainMs / 1_000),
    refusals: median(({ loads }) => loads[0].refusals + loads[1].refusals),
    criticalStartP99Ms: median((burst) => critical(burst).p99Ms),
    criticalStartAfterAcceptP99Ms: median(({ order }) => order.sinceAccepted[priorities.CRITICAL]!.p99Ms),
    inOrderShare: medianOf(bursts.map(({ order }) => order.inOrderShare)),
  }
  const [first] = bursts
  return {
    unit: 'notifications',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(bursts.length, spread),
    p50Ms: median(({ report }) => report.end.p50Ms),
    p95Ms: median(({ report }) => report.end.p95Ms),
    p99Ms: median(({ report }) => report.end.p99Ms),
    ...figures,
    rate,
    seconds,
    acceptP99Ms: median(({ loads }) => loads[0].answer.p99Ms),
    criticalAcceptP99Ms: median(({ loads }) => loads[1].answer.p99Ms),
    start: byName(first!.order.sinceIntended),
    startAfterAccept: byName(first!.order.sinceAccepted),
    drainPlace: byName(first!.order.meanPlace),
    generatorLagMs: tenths(Math.max(...bursts.flatMap(({ loads }) => loads.map((load) => load.generatorLagMs)))),
    remark: `${rate}/s for ${seconds} s, accepted in ${figures.acceptedSeconds} s (${figures.refusals} refusals), drained in ${figures.drainSeconds} s more`,
    more: [
      untilProvider(
        {
          p50Ms: median((burst) => critical(burst).p50Ms),
          p95Ms: median((burst) => critical(burst).p95Ms),
          p99Ms: figures.criticalStartP99Ms,
        },
        `CRITICAL; P99 ${figures.criticalStartAfterAcceptP99Ms} ms after its accept; ${Math.round(figures.inOrderShare * 1_000) / 10} % went in order of priority`,
      ),
    ],
  }
}
