import { setTimeout as sleep } from 'node:timers/promises'
import type { Costs, Meter } from '../costs.ts'
import type { LoadReport } from '../load/generator.ts'
import { closedPhase, isSustained, type LeftBehind, relayLagEvents } from '../phases.ts'
import { eventsPerNotification, type Rig, withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, untilProvider } from '../scenario.ts'
import type { PhaseReport } from '../service/observer.ts'
import type { ServiceCounts } from '../service/service-process.ts'
import { medianOf, perSecond, tenths } from '../statistics.ts'
import { readDeadTuples } from '../table-health.ts'
import { bulkLoop, warmUpSeconds } from './pipeline.ts'

/** What a stretch of the run showed. */
interface Stretch {
  atSeconds: number
  perSecond: number
  /** Due by the schedule and not settled. */
  waiting: number
  relayLagEvents: number
  start: PhaseReport['start']
  end: PhaseReport['end']
  deadTuples: number
  walBytes: number
  commits: number
  memoryMiB: number
}

/** A fixed rate for as long as asked: what grows with time shows here. */
export async function soak(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const { rate, requestSize, seconds } = options
  const stretchMs = seconds > 30 ? 10_000 : (seconds * 1_000) / 4
  return withRig(context, 'soak', {}, async (rig) => {
    const generator = rig.startGenerator()
    await rig.aim(generator, options.transport)
    progress.begin('soak: warming up')
    await closedPhase(rig, generator, { ...bulkLoop, seconds: warmUpSeconds })

    progress.begin(`soak: ${rate}/s for ${seconds} s`)
    const phase = rig.nextPhase()
    const whole = await rig.meter()
    const first = await rig.counts()
    const running = generator.call<LoadReport>('open', { phase, seconds, rate, requestSize })
    const over = running.then(() => 'over' as const)
    over.catch(() => {}) // told to whoever awaits the load
    const stretches: Stretch[] = []
    for (let meter = await rig.meter(), before = first; ; ) {
      const ended = await Promise.race([over, sleep(stretchMs)])
      if (ended === 'over') break
      const now = await rig.counts()
      const stretch = await readStretch(rig, phase, { rate, first, before, now, meter })
      stretches.push(stretch)
      progress.note(describeStretch(stretch))
      meter = await rig.meter()
      before = now
    }
    const load = await running
    rig.tally(load)
    const atEnd = await rig.counts()
    const drainMs = await rig.drain()
    const last = await rig.counts()
    await rig.untilPublished(last.settled * eventsPerNotification)
    const costs = await whole.read(last.settled - first.settled)
    const { faults, told } = await rig.reconcile()
    const relayLagMs = (relayLagEvents(rig, atEnd) / (rate * eventsPerNotification)) * 1_000
    const left = { drainMs: Math.round(drainMs), relayLagMs: Math.round(relayLagMs), refusals: load.refusals }
    const sustained = isSustained(seconds, left)
    const generatorLagMs = tenths(load.generatorLagMs)
    return { ...summary(stretches, { ...left, sustained }, costs), generatorLagMs, rate, seconds, ...told, faults }
  })
}

interface Between {
  rate: number
  first: ServiceCounts
  before: ServiceCounts
  now: ServiceCounts
  meter: Meter
}

async function readStretch(rig: Rig, phase: number, between: Between): Promise<Stretch> {
  const { rate, first, before, now, meter } = between
  const { start, end } = await rig.service.call<PhaseReport>('phase', { phase, forget: true })
  const { walBytes, commits } = await meter.read(now.settled - before.settled)
  const due = Math.round(((now.atMs - first.atMs) / 1_000) * rate)
  return {
    atSeconds: Math.round((now.atMs - first.atMs) / 1_000),
    perSecond: perSecond(now.settled - before.settled, now.atMs - before.atMs),
    waiting: Math.max(0, due - (now.settled - first.settled)),
    relayLagEvents: relayLagEvents(rig, now),
    start,
    end,
    deadTuples: await readDeadTuples(rig.client),
    walBytes,
    commits,
    memoryMiB: now.memoryMiB,
  }
}

const describeStretch = (stretch: Stretch): string =>
  [
    `  ${stretch.atSeconds} s: ${stretch.perSecond}/s`,
    `${stretch.waiting} waiting`,
    `start p50 ${stretch.start.p50Ms} p99 ${stretch.start.p99Ms} ms`,
    `relay ${stretch.relayLagEvents} events behind`,
    `${stretch.deadTuples} dead rows`,
    `WAL ${stretch.walBytes} B and ${stretch.commits} commits each`,
    `${stretch.memoryMiB} MiB`,
  ].join(', ')

/** Percentiles are those of the median stretch: a long run keeps no sample longer than a stretch. */
function summary(
  stretches: readonly Stretch[],
  left: LeftBehind & { sustained: boolean },
  costs: Costs,
): ScenarioResult {
  const median = (of: (stretch: Stretch) => number) => tenths(medianOf(stretches.map(of)))
  const most = (of: (stretch: Stretch) => number) => Math.max(...stretches.map(of))
  const worstStartP99Ms = most(({ start }) => start.p99Ms)
  return {
    unit: 'notifications',
    perSecond: Math.round(median((stretch) => stretch.perSecond)),
    p50Ms: median(({ end }) => end.p50Ms),
    p95Ms: median(({ end }) => end.p95Ms),
    p99Ms: median(({ end }) => end.p99Ms),
    worstStartP99Ms,
    ...left,
    mostDeadTuples: most(({ deadTuples }) => deadTuples),
    mostRelayLagEvents: most(({ relayLagEvents }) => relayLagEvents),
    costs: { 'a fixed rate': costs },
    stretches,
    remark: `${left.sustained ? 'kept up' : 'NOT SUSTAINED'}; times of the median stretch`,
    more: [
      untilProvider(
        {
          p50Ms: median(({ start }) => start.p50Ms),
          p95Ms: median(({ start }) => start.p95Ms),
          p99Ms: median(({ start }) => start.p99Ms),
        },
        `P99 of the worst stretch ${worstStartP99Ms} ms`,
      ),
    ],
  }
}
