import { type Child, startChild } from '../child.ts'
import type { LeanReport } from '../load/lean-generator.ts'
import type { SubscriberReport, SubscriberTarget } from '../load/subscriber-process.ts'
import { cpuMsOf } from '../process-usage.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed } from '../seed.ts'
import { postmasterOf } from '../servers.ts'
import { startLeanChild, startServiceChild } from '../service/service-child.ts'
import { medianOf, monotonicMs, perSecond, spreadOf, tenths } from '../statistics.ts'
import { until, untilCounted } from '../until.ts'

const subscribers = 1_000
/** In-app notifications a second, over all inboxes. */
const rate = 200
const patienceMs = 30_000

interface Round {
  load: LeanReport
  heard: SubscriberReport
  perSecond: number
  cores: { service?: number; postgres?: number }
}

/** A thousand open inboxes: from the moment of sending to the subscriber's event, through the whole service. */
export async function inbox({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('inbox: a fresh database')
  const database = await server.fresh('migrated')
  const listening = startChild(new URL('../load/subscriber-process.ts', import.meta.url))
  try {
    const { apiKey } = await seed(database.url)
    const { child, graphqlUrl } = await startServiceChild({ databaseUrl: database.url, role: 'all' })
    const aim = { kind: 'send to inbox', subscribers } as const
    const generator = await startLeanChild({ url: graphqlUrl, apiKey, connections: 64, aim })
    try {
      progress.begin(`inbox: ${subscribers} subscribers come`)
      const url = graphqlUrl.replace('http', 'ws')
      const cameMs = monotonicMs()
      await listening.call('subscribe', { url, apiKey, subscribers } satisfies SubscriberTarget)
      await untilOpen(new URL('/metrics', graphqlUrl))
      const establishedMs = Math.round(monotonicMs() - cameMs)
      const pids = { service: child.pid, postgres: await postmasterOf(server) }
      const rounds: Round[] = []
      for (let round = 0; round <= options.rounds; round++) {
        progress.begin(round === 0 ? 'inbox: warming up' : `inbox: ${rate}/s, round ${round} of ${options.rounds}`)
        const done = await send(generator, listening, round === 0 ? 1 : options.seconds, pids)
        if (round > 0) rounds.push(done)
      }
      return summary(rounds, establishedMs)
    } finally {
      await generator.stop()
      await child.stop()
    }
  } finally {
    await listening.stop()
    await database.drop()
  }
}

/** The protocol does not say when a subscription stands; the service's metrics do. */
async function untilOpen(metrics: URL): Promise<void> {
  const isOpen = async () => {
    const text = await (await fetch(metrics)).text()
    return Number(/^carillon_graphql_subscriptions_open (\d+)/m.exec(text)?.[1]) >= subscribers
  }
  await until(isOpen, patienceMs, 'every subscription is open')
}

async function send(
  generator: Child,
  listening: Child,
  seconds: number,
  pids: { service?: number; postgres?: number },
): Promise<Round> {
  await listening.call('begin')
  const before = { atMs: monotonicMs(), service: cpuMsOf(pids.service), postgres: cpuMsOf(pids.postgres) }
  const load = await generator.call<LeanReport>('open', { rate, seconds, rampMs: 0 })
  await untilCounted(() => listening.call<number>('received'), load.done, patienceMs)
  const tookMs = monotonicMs() - before.atMs
  const cores = (pid: number | undefined, from: number | undefined) => {
    const now = cpuMsOf(pid)
    return from === undefined || now === undefined ? undefined : Math.round(((now - from) / tookMs) * 100) / 100
  }
  const heard = await listening.call<SubscriberReport>('report')
  return {
    load,
    heard,
    perSecond: perSecond(heard.received, tookMs),
    cores: { service: cores(pids.service, before.service), postgres: cores(pids.postgres, before.postgres) },
  }
}

function summary(rounds: readonly Round[], establishedMs: number): ScenarioResult {
  const median = (of: (round: Round) => number | undefined) => medianOf(rounds.map((round) => of(round) ?? Number.NaN))
  const spread = spreadOf(rounds.map((round) => round.perSecond))
  const cores = { service: median((round) => round.cores.service), postgres: median((round) => round.cores.postgres) }
  const known = Number.isNaN(cores.service) ? '' : `; cores: service ${cores.service}, Postgres ${cores.postgres}`
  return {
    unit: 'events',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(rounds.length, spread),
    p50Ms: tenths(median(({ heard }) => heard.p50Ms)),
    p95Ms: tenths(median(({ heard }) => heard.p95Ms)),
    p99Ms: tenths(median(({ heard }) => heard.p99Ms)),
    maxMs: tenths(median(({ heard }) => heard.maxMs)),
    subscribers,
    rate,
    establishedMs,
    cores,
    remark: `${subscribers} subscribers over WebSocket, ${rate}/s sent; from send to the subscriber's event${known}`,
    faults: rounds.flatMap(({ load, heard }) => [
      ...(load.firstFault ? [load.firstFault] : []),
      ...(heard.firstFault ? [heard.firstFault] : []),
      ...(heard.received === load.done ? [] : [`${load.done} were sent, and ${heard.received} events came`]),
      ...(heard.wrong === 0 ? [] : [`${heard.wrong} events came twice, or to the wrong inbox`]),
    ]),
  }
}
