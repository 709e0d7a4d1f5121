import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from './child.ts'
import type { Costs } from './costs.ts'
import type { LoadReport } from './load/generator.ts'
import { eventsPerNotification, type Rig } from './rig.ts'
import type { PhaseReport } from './service/observer.ts'
import type { ServiceCounts } from './service/service-process.ts'
import { monotonicMs, perSecond, tenths } from './statistics.ts'

/** What the first second of a phase shows is the filling of the pipeline, and not its rate. */
const rampMs = 1_000

export interface OpenPhase extends PhaseReport {
  phase: number
  rate: number
  load: LoadReport
  /** From the last answer until all was settled. */
  drainMs: number
  /** How many seconds of events the relay was behind when the load ended. */
  relayLagMs: number
  /** Nothing was left behind that grows: see `isSustained`. */
  sustained: boolean
  costs: Costs
}

export interface ClosedPhase extends PhaseReport {
  phase: number
  perSecond: number
  serviceCores: number
  /** Events of settled notifications that were not published yet when the load ended. */
  relayLagEvents: number
  relayDrainMs: number
  load: LoadReport
  costs: Costs
}

/** What a load left when it ended, and how often it was sent away. */
export interface LeftBehind {
  drainMs: number
  relayLagMs: number
  refusals: number
}

/**
 * Whether a rate is one that can go on: what was left at the end of the phase, of work and of events to publish, is
 * less than a tenth of the phase, and less than 1 s of work and 2 s of events. In a short phase a tenth may be less than
 * the pipeline's own length; 300 ms are always granted. A rate that was refused is not sustained.
 */
export function isSustained(seconds: number, { drainMs, relayLagMs, refusals }: LeftBehind): boolean {
  if (refusals > 0) return false
  const tenthMs = Math.max(300, seconds * 100)
  return drainMs < Math.min(1_000, tenthMs) && relayLagMs < Math.min(2_000, tenthMs)
}

/** Events of settled notifications that are not published yet. */
export const relayLagEvents = (rig: Rig, { settled, published }: ServiceCounts): number =>
  rig.hasRelay ? Math.max(0, settled * eventsPerNotification - published) : 0

/** An open loop, whether the service keeps up or not; resolves when everything is settled and published. */
export async function openPhase(
  rig: Rig,
  generator: Child,
  { rate, seconds, requestSize }: { rate: number; seconds: number; requestSize: number },
): Promise<OpenPhase> {
  const phase = rig.nextPhase()
  const meter = await rig.meter()
  const before = await rig.counts()
  const load = await generator.call<LoadReport>('open', { phase, seconds, rate, requestSize })
  rig.tally(load)
  const atEnd = await rig.counts()
  const relayLagMs = (relayLagEvents(rig, atEnd) / (rate * eventsPerNotification)) * 1_000
  const drainMs = await rig.drain()
  const { settled } = await rig.counts()
  await rig.untilPublished(settled * eventsPerNotification)
  const costs = await meter.read(settled - before.settled)
  const report = await rig.service.call<PhaseReport>('phase', { phase })
  const sustained = isSustained(seconds, { drainMs, relayLagMs, refusals: load.refusals })
  return { ...report, phase, rate, load, drainMs, relayLagMs, sustained, costs }
}

export interface ClosedShape {
  seconds: number
  requestSize: number
  callers: number
  window: number
}

/** As fast as answers come, with a bound on what is under way; resolves when everything is settled and published. */
export async function closedPhase(rig: Rig, generator: Child, shape: ClosedShape): Promise<ClosedPhase> {
  const phase = rig.nextPhase()
  const meter = await rig.meter()
  const before = await rig.counts()
  const running = generator.call<LoadReport>('closed', { ...shape, phase, seconds: shape.seconds + rampMs / 1_000 })
  running.catch(() => {}) // told to whoever awaits it, below
  await sleep(rampMs)
  const from = await rig.counts()
  const load = await running
  const to = await rig.counts()
  rig.tally(load)
  await rig.drain()
  const beganMs = monotonicMs()
  const { settled } = await rig.counts()
  await rig.untilPublished(settled * eventsPerNotification)
  const costs = await meter.read(settled - before.settled)
  const ms = to.atMs - from.atMs
  return {
    ...(await rig.service.call<PhaseReport>('phase', { phase })),
    phase,
    perSecond: perSecond(to.settled - from.settled, ms),
    serviceCores: tenths((to.cpuMs - from.cpuMs) / ms),
    relayLagEvents: relayLagEvents(rig, to),
    relayDrainMs: Math.round(monotonicMs() - beganMs),
    load,
    costs,
  }
}

/** A closed loop that was short and early may be this far below what lasts. */
const mostTenths = 17

/**
 * Looks for the highest rate that `holds`, around a rate that is known to be about right: up in steps of two tenths of
 * it while they hold, else down by one until one does; then a step and half a step up from there.
 */
export async function findHighest<T>(
  around: number,
  attempt: (rate: number) => Promise<T>,
  holds: (result: T) => boolean,
): Promise<{ best?: T; tried: T[] }> {
  const tried: T[] = []
  const tenth = around / 10
  let best: T | undefined
  const trial = async (tenths: number): Promise<boolean> => {
    const result = await attempt(Math.max(50, Math.round((tenths * tenth) / 50) * 50))
    tried.push(result)
    if (!holds(result)) return false
    best = result
    return true
  }
  let at = 9
  if (await trial(at)) {
    while (at < mostTenths && (await trial(at + 2))) at += 2
    if (at < mostTenths && (await trial(at + 1))) at++
  } else {
    do at--
    while (at > 1 && !(await trial(at)))
  }
  if (best !== undefined && at < mostTenths) await trial(at + 0.5)
  return { best, tried }
}
