import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { feedTopics } from '../../../src/pipeline/stream/cloud-event.ts'
import { type Child, startChild } from '../child.ts'
import type { LoadReport } from '../load/generator.ts'
import type { TransportTarget } from '../load/transport.ts'
import { readLedger, reconcile } from '../reconcile.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed } from '../seed.ts'
import type { PhaseReport } from '../service/observer.ts'
import type { ServiceOptions } from '../service/service.ts'
import type { ServiceCounts } from '../service/service-process.ts'
import { medianOf, monotonicMs, perSecond, spreadOf, tenths } from '../statistics.ts'

const warmUp = { seconds: 3, rate: 500 }
const closedLoop = { requestSize: 500, callers: 4, window: 10_000 }
/** What the first second of a phase shows is the filling of the pipeline, and not its rate. */
const rampMs = 1_000
/** intent received, email requested, email sent */
const eventsPerNotification = 3
const drainTimeoutMs = 60_000

interface Started {
  urls: Record<'direct' | 'graphql', string>
  changedSettings: Record<string, string>
}

interface OpenRound {
  start: PhaseReport['start']
  end: PhaseReport['end']
  load: LoadReport
  drainMs: number
}

interface ClosedRound {
  perSecond: number
  start: PhaseReport['start']
  end: PhaseReport['end']
  cpuShare: number
  relayLagEvents: number
}

/** The whole way of a notification: accept → plan → send → settle (→ Kafka), each recorded and committed. */
export async function pipeline(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  progress.begin('pipeline: a fresh database')
  const kafka = await context.kafka?.()
  const database = await context.server.fresh('migrated')
  const service = startChild(new URL('../service/service-process.ts', import.meta.url))
  const generator = startChild(new URL('../load/generator-process.ts', import.meta.url))
  try {
    const { apiKey } = await seed(database.url)
    const topicPrefix = `${database.name}.`
    const { urls, changedSettings } = await service.call<Started>('start', {
      databaseUrl: database.url,
      role: 'all',
      kafka: kafka && { brokers: kafka.brokers, topicPrefix },
    } satisfies ServiceOptions)
    const target: TransportTarget = { kind: options.transport, url: urls[options.transport], apiKey }
    await generator.call('aim', { target, run: database.name })
    const drive = createDrive(context, service, generator)
    if (kafka) await drive.untilRelayLeads()

    progress.begin('pipeline: warming up')
    await drive.open(warmUp.rate, warmUp.seconds)
    const openRounds: OpenRound[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`pipeline: ${options.rate}/s, round ${round} of ${options.rounds}`)
      openRounds.push(await drive.open(options.rate, options.seconds))
    }
    const closedRounds: ClosedRound[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`pipeline: as fast as it goes, round ${round} of ${options.rounds}`)
      closedRounds.push(await drive.closed(options.seconds))
    }

    progress.begin('pipeline: reconciling')
    const relayDrainMs = kafka ? await drive.untilPublished(database.url) : undefined
    const counts = await service.call<ServiceCounts>('counts')
    const ledger = await readLedger(database.url)
    const feed = kafka && {
      messages: await countMessages(kafka.brokers, topicPrefix),
      published: counts.published,
      failures: counts.relayFailures,
    }
    const faults = reconcile(ledger, { ...drive.told(), service: counts, feed })
    if (drive.firstFault()) faults.push(`a request failed: ${drive.firstFault()}`)
    const reconciled = faults.length === 0
    for (const child of [generator, service]) {
      const fault = await child.stop()
      if (fault) faults.push(`the stop was not clean: ${fault}`)
    }
    return {
      ...summary(context, openRounds, closedRounds),
      relay: kafka ? { drainMs: relayDrainMs, ...feed } : 'off (--no-kafka)',
      memoryMiB: counts.memoryMiB,
      changedSettings,
      reconciliation: { ...drive.told(), ...ledger, providerCalls: counts.providerCalls, ok: reconciled },
      faults,
    }
  } finally {
    await generator.stop()
    await service.stop()
    await database.drop()
  }
}

function createDrive({ options, progress }: ScenarioContext, service: Child, generator: Child) {
  const told = { accepted: 0, unanswered: 0 }
  let firstFault: string | undefined
  let latest: ServiceCounts | undefined
  let phase = -1
  let since = { atMs: monotonicMs(), settled: 0 }
  service.on<ServiceCounts>('counts', (counts) => {
    latest = counts
    void generator.call('settled', counts.settled).catch(() => {}) // it is about to end
    const rate = perSecond(counts.settled - since.settled, counts.atMs - since.atMs)
    progress.show(`${counts.settled} settled, ${rate}/s in this phase, ${counts.published} published`)
  })

  function add(load: LoadReport, requestSize: number): void {
    told.accepted += load.accepted
    told.unanswered += load.failedRequests * requestSize
    firstFault ??= load.firstFault
  }

  async function begin(): Promise<ServiceCounts> {
    phase++
    const counts = await service.call<ServiceCounts>('counts')
    since = counts
    return counts
  }

  /** Resolves when everything accepted is settled, or patience is at an end; the reconciliation tells which. */
  async function drain(): Promise<number> {
    const beganMs = monotonicMs()
    while (monotonicMs() - beganMs < drainTimeoutMs) {
      const { settled } = await service.call<ServiceCounts>('counts')
      if (settled >= told.accepted) break
      await sleep(10)
    }
    return monotonicMs() - beganMs
  }

  return {
    told: () => ({ ...told }),
    firstFault: () => firstFault,
    async untilRelayLeads() {
      const deadline = monotonicMs() + 60_000
      while ((await service.call('relayState')) !== 'leading') {
        if (monotonicMs() > deadline) throw new Error('the relay does not lead after a minute')
        await sleep(50)
      }
    },
    async open(rate: number, seconds: number): Promise<OpenRound> {
      const { requestSize } = options
      await begin()
      const load = await generator.call<LoadReport>('open', { phase, seconds, rate, requestSize })
      add(load, requestSize)
      const drainMs = await drain()
      const { start, end } = await service.call<PhaseReport>('phase', phase)
      return { start, end, load, drainMs }
    },
    async closed(seconds: number): Promise<ClosedRound> {
      await begin()
      const running = generator.call<LoadReport>('closed', { ...closedLoop, phase, seconds: seconds + rampMs / 1_000 })
      await sleep(rampMs)
      const from = await service.call<ServiceCounts>('counts')
      since = from
      const load = await running
      const to = await service.call<ServiceCounts>('counts')
      add(load, closedLoop.requestSize)
      await drain()
      const { start, end } = await service.call<PhaseReport>('phase', phase)
      const ms = to.atMs - from.atMs
      return {
        perSecond: perSecond(to.settled - from.settled, ms),
        start,
        end,
        cpuShare: tenths((to.cpuMs - from.cpuMs) / ms),
        relayLagEvents: Math.max(0, to.settled * eventsPerNotification - to.published),
      }
    },
    /** Waits until the relay has published every event there is; gives how long that took after the last settlement. */
    async untilPublished(databaseUrl: string): Promise<number> {
      const beganMs = monotonicMs()
      const { events } = await readLedger(databaseUrl)
      while (monotonicMs() - beganMs < drainTimeoutMs && (latest?.published ?? 0) < events) await sleep(20)
      return Math.round(monotonicMs() - beganMs)
    },
  }
}

function summary(
  { options, kafka }: ScenarioContext,
  open: readonly OpenRound[],
  closed: readonly ClosedRound[],
): ScenarioResult {
  const median = <R>(rounds: readonly R[], of: (round: R) => number) => tenths(medianOf(rounds.map(of)))
  const sustained = open.every(({ drainMs }) => drainMs < 1_000)
  const spread = spreadOf(closed.map((round) => round.perSecond))
  return {
    unit: 'notifications',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(closed.length, spread),
    rate: options.rate,
    sustained,
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
    generatorLagMs: tenths(Math.max(...open.map(({ load }) => load.generatorLagMs))),
    full: {
      p50Ms: median(closed, ({ end }) => end.p50Ms),
      p99Ms: median(closed, ({ end }) => end.p99Ms),
      serviceCores: median(closed, ({ cpuShare }) => cpuShare),
      relayLagEvents: kafka && median(closed, ({ relayLagEvents }) => relayLagEvents),
      window: closedLoop.window,
    },
    transport: options.transport,
    remark: `latency at ${options.rate}/s${sustained ? '' : ' (NOT SUSTAINED)'}; relay ${kafka ? 'on' : 'OFF (--no-kafka)'}; ${options.transport}`,
  }
}

async function countMessages(brokers: string[], topicPrefix: string): Promise<number> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    let messages = 0
    for (const topic of feedTopics) {
      for (const { high, low } of await admin.fetchTopicOffsets(topicPrefix + topic))
        messages += Number(high) - Number(low)
    }
    return messages
  } finally {
    await admin.disconnect()
  }
}
