import type { Child } from '../child.ts'
import type { LoadReport } from '../load/generator.ts'
import { closedPhase } from '../phases.ts'
import { type Rig, withRig } from '../rig.ts'
import type { ScenarioContext, ScenarioResult, TableLine } from '../scenario.ts'
import { seed } from '../seed.ts'
import type { PhaseReport } from '../service/observer.ts'
import { medianOf, tenths } from '../statistics.ts'
import { until } from '../until.ts'
import { bulkLoop, warmUpSeconds } from './pipeline.ts'

const quietTenant = '0190a1b2-c3d4-7000-8000-00000000fa12'
/** What is measured: little, evenly, in small requests. */
const quietLoad = { rate: 500, requestSize: 5 }
/** The service is as busy as with a backlog, but nothing waits for long: what the processor alone costs the quiet one. */
const busyLoop = { requestSize: 500, callers: 2, window: 1_000 }
const slowCallMs = 30_000
const slowLoad = { first: 2_000, rate: 100, requestSize: 20 }
const patienceMs = 120_000

type Start = PhaseReport['start']

interface Round {
  alone: Start
  busy: Start
  waiting: Start
  /** Of the loud tenant's, when the measurement of the quiet one began and ended. */
  waitingFrom: number
  waitingTo: number
}

/** What one tenant waits because another has much to send, and one channel because another's provider is slow. */
export async function fairness(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const seconds = options.quick ? Math.max(2, Math.ceil(options.seconds / 2)) : options.seconds
  const backlog = options.quick ? 30_000 : 100_000
  return withRig(context, 'fairness', { smsLatencyMs: slowCallMs }, async (rig) => {
    const { apiKey } = await seed(rig.databaseUrl, quietTenant)
    const [quiet, loud, slow] = [rig.startGenerator(), rig.startGenerator(), rig.startGenerator()]
    await rig.aim(quiet, 'graphql', { run: 'quiet' }, apiKey)
    await rig.aim(loud, 'graphql', { run: 'loud' })
    await rig.aim(slow, 'graphql', { run: 'slow', channel: 'sms' }, apiKey)
    const begin = (what: string, round: number) =>
      progress.begin(`fairness: ${what}, round ${round} of ${options.rounds}`)

    progress.begin('fairness: warming up')
    await closedPhase(rig, loud, { ...bulkLoop, seconds: warmUpSeconds })
    await measureQuiet(rig, quiet, 1)
    const rounds: Round[] = []
    for (let round = 1; round <= options.rounds; round++) {
      begin('alone', round)
      const alone = await measureQuiet(rig, quiet, seconds)
      begin('beside a busy tenant', round)
      const [busy] = await Promise.all([
        measureQuiet(rig, quiet, seconds),
        load(rig, loud, 'closed', { ...busyLoop, seconds }),
      ])
      await rig.drain()
      begin(`beside a tenant with ${backlog} waiting`, round)
      const fill = { requestSize: 1_000, callers: 4, window: Number.MAX_SAFE_INTEGER, seconds: 60, total: backlog }
      const empty = await rig.counts()
      const { accepted } = await load(rig, loud, 'closed', fill)
      const before = await rig.counts()
      const waiting = await measureQuiet(rig, quiet, seconds)
      const after = await rig.counts()
      const waitingFrom = accepted - (before.settled - empty.settled)
      const waitingTo = Math.max(0, waitingFrom + quietLoad.rate * seconds - (after.settled - before.settled))
      rounds.push({ alone, busy, waiting, waitingFrom, waitingTo })
      await rig.drain()
    }

    const { providerCalls } = await rig.counts()
    const fill = { requestSize: 500, callers: 1, window: Number.MAX_SAFE_INTEGER, seconds: 60, total: slowLoad.first }
    await load(rig, slow, 'closed', fill)
    await until(
      async () => (await rig.counts()).providerCalls > providerCalls,
      patienceMs,
      'the slow provider is called',
    )
    const slowChannel: Start[] = []
    for (let round = 1; round <= options.rounds; round++) {
      begin('beside a slow provider', round)
      const [measured] = await Promise.all([
        measureQuiet(rig, quiet, seconds),
        load(rig, slow, 'open', { ...slowLoad, seconds }),
      ])
      slowChannel.push(measured)
    }
    return summary(rounds, slowChannel, backlog)
  })
}

async function load(rig: Rig, generator: Child, kind: 'open' | 'closed', loop: object): Promise<LoadReport> {
  const report = await generator.call<LoadReport>(kind, { ...loop, phase: rig.nextPhase() })
  if (report.firstFault) throw new Error(`a request failed: ${report.firstFault}`)
  rig.tally(report)
  return report
}

/** The quiet tenant's own notifications, until they are settled; whatever else is under way goes on. */
async function measureQuiet(rig: Rig, quiet: Child, seconds: number): Promise<Start> {
  const phase = rig.nextPhase()
  const report = await quiet.call<LoadReport>('open', { ...quietLoad, seconds, phase })
  if (report.firstFault) throw new Error(`a request failed: ${report.firstFault}`)
  rig.tally(report)
  let measured: PhaseReport | undefined
  await until(
    async () => {
      measured = await rig.service.call<PhaseReport>('phase', { phase })
      return measured.settled >= report.accepted
    },
    patienceMs,
    'the quiet tenant is served',
  )
  return measured!.start
}

function summary(rounds: readonly Round[], slow: readonly Start[], backlog: number): ScenarioResult {
  const starts = (of: (round: Round) => Start) => medians(rounds.map(of))
  const [alone, busy, waiting] = [starts((r) => r.alone), starts((r) => r.busy), starts((r) => r.waiting)]
  const slowChannel = medians(slow)
  const moved = (to: Start, from: Start) => Math.round((to.p99Ms / from.p99Ms - 1) * 100)
  const figures = {
    tenantMovedPercent: moved(waiting, alone),
    tenantMovedPercentOfBusy: moved(waiting, busy),
    channelMovedPercent: moved(slowChannel, alone),
  }
  const left = {
    waitingFrom: medianOf(rounds.map(({ waitingFrom }) => waitingFrom)),
    waitingTo: medianOf(rounds.map(({ waitingTo }) => waitingTo)),
  }
  const line = (name: string, { p50Ms, p95Ms, p99Ms }: Start, remark = ''): TableLine => ({
    name,
    p50Ms,
    p95Ms,
    p99Ms,
    remark,
  })
  return {
    unit: 'notifications',
    perSecond: quietLoad.rate,
    p50Ms: alone.p50Ms,
    p95Ms: alone.p95Ms,
    p99Ms: alone.p99Ms,
    ...figures,
    start: { alone, busy, waiting, slowChannel },
    backlog,
    ...left,
    remark: 'a quiet tenant, alone; all times until the provider',
    more: [
      line(
        'beside a tenant with a backlog',
        waiting,
        `P99 ${signed(figures.tenantMovedPercent)} %; ${left.waitingFrom} waiting, ${left.waitingTo} at the end`,
      ),
      line('beside a tenant that is busy', busy, 'without a backlog: what the processor alone costs'),
      line(
        'beside a slow provider',
        slowChannel,
        `P99 ${signed(figures.channelMovedPercent)} %; 30 s a call, of another channel`,
      ),
    ],
  }
}

const signed = (percent: number): string => (percent > 0 ? `+${percent}` : `${percent}`)

const medians = (starts: readonly Start[]): Start => ({
  p50Ms: tenths(medianOf(starts.map(({ p50Ms }) => p50Ms))),
  p95Ms: tenths(medianOf(starts.map(({ p95Ms }) => p95Ms))),
  p99Ms: tenths(medianOf(starts.map(({ p99Ms }) => p99Ms))),
  maxMs: tenths(medianOf(starts.map(({ maxMs }) => maxMs))),
})
