import type pg from 'pg'
import { type Child, startChild } from './child.ts'
import { type Meter, type Part, startMeter } from './costs.ts'
import type { LoadReport } from './load/generator.ts'
import type { LoadProfile } from './load/load-item.ts'
import type { TransportTarget } from './load/transport.ts'
import { reconcileRun } from './reconcile-run.ts'
import type { ScenarioContext } from './scenario.ts'
import { seed, withClient } from './seed.ts'
import type { ServiceOptions } from './service/service.ts'
import type { ServiceCounts } from './service/service-process.ts'
import { monotonicMs, perSecond } from './statistics.ts'
import { until, untilCounted } from './until.ts'

/** Intent received, intent enriched, email requested, email sent. */
export const eventsPerNotification = 4
const patienceMs = 60_000

export interface RigOptions {
  /** Starts the HTTP sink too. */
  httpSink?: boolean
  smsLatencyMs?: number
}

/** The service under test, its database and the processes that load it. */
export interface Rig {
  readonly service: Child
  readonly databaseUrl: string
  /** A connection of the bench's own. */
  readonly client: pg.Client
  readonly apiKey: string
  readonly urls: Record<'direct' | 'graphql', string>
  readonly changedSettings: Record<string, string>
  /** Nothing is published where there is no broker. */
  readonly hasRelay: boolean
  /** A process that loads; aimed before it is used. */
  startGenerator(): Child
  aim(generator: Child, kind: TransportTarget['kind'], profile?: Partial<LoadProfile>, apiKey?: string): Promise<void>
  nextPhase(): number
  counts(): Promise<ServiceCounts>
  meter(): Promise<Meter>
  /** Keeps account of what a load was told, for the drain and the reconciliation. */
  tally(load: Pick<LoadReport, 'accepted' | 'unanswered' | 'firstFault'>): void
  /** Resolves when all that was accepted is settled, or nothing has moved for a minute; gives the time that took. */
  drain(): Promise<number>
  /** The same for so many notifications altogether. */
  untilSettled(notifications: number): Promise<number>
  /** The same for so many published events; at once, where there is no relay. */
  untilPublished(events: number): Promise<number>
  /** Holds everything against the tables, and stops the processes: faults, and what to tell. */
  reconcile(recipientsPerIntent?: number): Promise<{ faults: string[]; told: Record<string, unknown> }>
}

/** Starts everything on a fresh database, and takes it down again however the work ends. */
export async function withRig<T>(
  context: ScenarioContext,
  name: string,
  options: RigOptions,
  work: (rig: Rig) => Promise<T>,
): Promise<T> {
  context.progress.begin(`${name}: a fresh database`)
  const kafka = await context.kafka?.()
  const database = await context.server.fresh('migrated')
  const children: { child: Child; part: Part }[] = []
  const start = (part: Part, file: string): Child => {
    const child = startChild(new URL(file, import.meta.url))
    children.unshift({ child, part }) // the last is stopped first
    return child
  }
  try {
    const sinkUrl = options.httpSink ? await start('sink', 'service/sink-process.ts').call<string>('start') : undefined
    const service = start('service', 'service/service-process.ts')
    const topicPrefix = `${database.name}.`
    return await withClient(database.url, async (client) => {
      const { apiKey } = await seed(database.url)
      const started = await service.call<Pick<Rig, 'urls' | 'changedSettings'>>('start', {
        databaseUrl: database.url,
        role: 'all',
        kafka: kafka && { brokers: kafka.brokers, topicPrefix },
        sinkUrl,
        smsLatencyMs: options.smsLatencyMs,
      } satisfies ServiceOptions)
      if (kafka)
        await until(async () => (await service.call('relayState')) === 'leading', patienceMs, 'the relay leads')

      const told = { accepted: 0, unanswered: 0 }
      let firstFault: string | undefined
      let phase = -1
      let since: Pick<ServiceCounts, 'atMs' | 'settled'> = { atMs: monotonicMs(), settled: 0 }
      const counts = () => service.call<ServiceCounts>('counts')
      service.on<number>('settled', (settled) => {
        for (const { child, part } of children) {
          if (part === 'generator') void child.call('settled', settled).catch(() => {}) // it is about to end
        }
      })
      service.on<ServiceCounts>('counts', (now) => {
        const rate = perSecond(now.settled - since.settled, now.atMs - since.atMs)
        since = now
        context.progress.show(`${now.settled} settled, ${rate}/s, ${now.published} published`)
      })
      const waitFor = async (of: (now: ServiceCounts) => number, wanted: number): Promise<number> => {
        const beganMs = monotonicMs()
        await untilCounted(async () => of(await counts()), wanted, patienceMs)
        return monotonicMs() - beganMs
      }
      const untilSettled = (notifications: number) => waitFor(({ settled }) => settled, notifications)
      const untilPublished = async (events: number) => (kafka ? waitFor(({ published }) => published, events) : 0)

      return await work({
        service,
        client,
        apiKey,
        ...started,
        databaseUrl: database.url,
        hasRelay: kafka !== undefined,
        startGenerator: () => start('generator', 'load/generator-process.ts'),
        aim(generator, kind, profile = {}, key = apiKey) {
          const target = { kind, url: started.urls[kind === 'direct' ? kind : 'graphql'], apiKey: key }
          return generator.call('aim', { target, profile: { run: database.name, channel: 'email', ...profile } })
        },
        nextPhase: () => ++phase,
        counts,
        meter: () => startMeter(client, new Map(children.map(({ child, part }) => [child.pid, part]))),
        tally(load) {
          told.accepted += load.accepted
          told.unanswered += load.unanswered
          firstFault ??= load.firstFault
        },
        drain: () => untilSettled(told.accepted),
        untilSettled,
        untilPublished,
        async reconcile(recipientsPerIntent = 1) {
          context.progress.begin(`${name}: reconciling`)
          const claims = { ...told, recipientsPerIntent }
          const broker = kafka && { brokers: kafka.brokers, topicPrefix }
          const run = await reconcileRun({ client, counts, untilPublished, broker }, claims)
          const faults = [...run.faults]
          if (firstFault) faults.push(`a request failed: ${firstFault}`)
          for (const { child } of children) {
            const fault = await child.stop()
            if (fault) faults.push(`the stop was not clean: ${fault}`)
          }
          return { faults, told: { ...run.told, changedSettings: started.changedSettings } }
        },
      })
    })
  } finally {
    for (const { child } of children) await child.stop()
    await database.drop()
  }
}
