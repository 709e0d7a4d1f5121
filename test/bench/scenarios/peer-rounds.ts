import { type ScenarioContext, spreadIfMany, type TableLine } from '../scenario.ts'
import { medianOf, monotonicMs, spreadOf, tenths } from '../statistics.ts'
import { measureDrain, measureSteady, oneByOne, type PeerQueue } from './queue-measurements.ts'

/** A setting to try a peer with. */
export interface Candidate<Settings> {
  settings: Settings
  queue: PeerQueue
}

export interface Tried<Settings> extends Candidate<Settings> {
  /** What each of the candidates came to; empty where there was one. */
  tried: { settings: Settings; perSecond: number }[]
}

export interface PeerRates {
  perSecond: number
  spread?: { least: number; most: number }
  drainedPerSecond: number
  enqueuedPerSecond: number
  /** Of our process, which both sends and works, while both sides are busy: near 1, it is the limit, and not the queue. */
  nodeCores: number
}

type Context = Pick<ScenarioContext, 'options' | 'progress'>

/** Jobs in sets of a thousand: the drain of a full queue, and both sides at once. */
export async function measureInSets(queue: PeerQueue, { options, progress }: Context): Promise<PeerRates> {
  const jobs = options.quick ? 20_000 : 60_000
  const seconds = options.quick ? Math.max(2, Math.ceil(options.seconds / 2)) : options.seconds
  const drains: { enqueuedPerSecond: number; drainedPerSecond: number }[] = []
  const steady: number[] = []
  const cores: number[] = []
  for (let round = 1; round <= options.rounds; round++) {
    const of = `round ${round} of ${options.rounds}`
    progress.begin(`${queue.name}: draining ${jobs} jobs, ${of}`)
    drains.push(await measureDrain(queue, jobs, progress))
    progress.begin(`${queue.name}: both sides at once, ${of}`)
    const cpu = process.cpuUsage()
    const beganMs = monotonicMs()
    steady.push(await measureSteady(queue, seconds, progress))
    const { user, system } = process.cpuUsage(cpu)
    cores.push((user + system) / 1_000 / (monotonicMs() - beganMs))
  }
  const spread = spreadOf(steady)
  return {
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(options.rounds, spread),
    drainedPerSecond: Math.round(medianOf(drains.map((drain) => drain.drainedPerSecond))),
    enqueuedPerSecond: Math.round(medianOf(drains.map((drain) => drain.enqueuedPerSecond))),
    nodeCores: tenths(medianOf(cores)),
  }
}

export interface OneByOneRates<Settings> {
  perSecond: number
  spread?: { least: number; most: number }
  settings: Settings
  tried: { settings: Settings; perSecond: number }[]
}

/** How a peer is called singly. */
export interface SingleSettings {
  callers: number
  rampMs?: number
}

/** Each job sent by a call of its own, with an outcome of its own: the fastest of the candidates, tried for a second each. */
export async function measureOneByOne<Settings extends SingleSettings>(
  candidates: readonly Candidate<Settings>[],
  { options, progress }: Context,
): Promise<OneByOneRates<Settings>> {
  const best = await fastest(candidates, progress, (queue, { callers, rampMs }) =>
    measureSteady(queue, 1, progress, oneByOne(callers, rampMs)),
  )
  const feed = oneByOne(best.settings.callers, best.settings.rampMs)
  const rates: number[] = []
  for (let round = 1; round <= options.rounds; round++) {
    progress.begin(`${best.queue.name}: one by one, round ${round} of ${options.rounds}`)
    rates.push(await measureSteady(best.queue, Math.max(2, Math.ceil(options.seconds / 2)), progress, feed))
  }
  const spread = spreadOf(rates)
  return {
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(options.rounds, spread),
    settings: best.settings,
    tried: best.tried,
  }
}

/** The candidate with the highest rate; one alone is not tried. */
export async function fastest<Settings>(
  candidates: readonly Candidate<Settings>[],
  progress: Context['progress'],
  rateOf: (queue: PeerQueue, settings: Settings) => Promise<number>,
): Promise<Tried<Settings>> {
  const [first, ...others] = candidates
  if (!first) throw new Error('no settings to try')
  if (others.length === 0) return { ...first, tried: [] }
  const tried: Tried<Settings>['tried'] = []
  let best = first
  let highest = 0
  for (const candidate of candidates) {
    progress.begin(`${candidate.queue.name}: trying ${JSON.stringify(candidate.settings)}`)
    const rate = await rateOf(candidate.queue, candidate.settings)
    tried.push({ settings: candidate.settings, perSecond: rate })
    if (rate <= highest) continue
    highest = rate
    best = candidate
  }
  return { ...best, tried }
}

export const oneByOneLine = (name: string, rates: OneByOneRates<{ callers: number }>, remark: string): TableLine => ({
  name,
  perSecond: rates.perSecond,
  unit: 'jobs',
  spread: rates.spread,
  remark: `${remark}, ${rates.settings.callers} callers`,
})
