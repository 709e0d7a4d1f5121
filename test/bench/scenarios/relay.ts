import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from '../child.ts'
import { benchTenant } from '../load/load-item.ts'
import { cpuMsOf, findDescendant, memoryOf } from '../process-usage.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { postmasterOf } from '../servers.ts'
import { startServiceChild } from '../service/service-child.ts'
import type { ServiceCounts } from '../service/service-process.ts'
import { medianOf, monotonicMs, perSecond, spreadOf } from '../statistics.ts'

/** What a notification by one channel leaves in the log. */
const eventsPerStory = 4
const storiesPerCommit = 500
const patienceMs = 120_000

/** Of a chunk of stories, what accepting, planning and settling it write: a row of events each. $1 tenant, $2 how many stories. */
const fillSql = `
with stories as materialized (select g as number, carillon.new_intent_id(now()) as id from generate_series(1, $2::int) g)
select carillon.append_events($1::uuid, carillon.new_intent_id(now()), now(), (
  select json_agg(json_build_object('subject_id', case when e.channel is null then s.id else carillon.notification_id(s.id, 1) end,
           'type', e.type, 'data', json_build_object('type', 'commerce.order.shipped', 'recipient_id', 'customer-' || s.number,
             'category', 'transactional', 'channel', e.channel, 'correlation_id', 'order-' || s.number)) order by s.number)
  from stories s))
from (values ('notification.intent.received', null), ('notification.intent.enriched', null),
  ('notification.email.requested', 'email'), ('notification.email.sent', 'email')) as e (type, channel)`

interface Round {
  perSecond: number
  /** Processor time of an event; undefined where the system does not tell. */
  usPerEvent: { service?: number; postgres?: number; broker?: number }
  peakMiB: { service?: number; broker?: number }
}

/** The relay by itself: a full log, a real broker, nothing else at work. */
export async function relay({ options, server, kafka, progress }: ScenarioContext): Promise<ScenarioResult> {
  if (!kafka) return { unit: 'events', perSecond: null, remark: 'not measured: --no-kafka' }
  progress.begin('relay: a fresh database, and a broker')
  const { brokers } = await kafka()
  const database = await server.fresh('migrated')
  try {
    await seed(database.url)
    const events = options.quick ? 60_000 : 600_000
    progress.begin(`relay: writing ${events} events`)
    await fill(database.url, events)
    const postmaster = await postmasterOf(server)
    const broker = findDescendant('java', 'kafka.Kafka')
    const rounds: Round[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`relay: publishing, round ${round} of ${options.rounds}`)
      await withClient(database.url, (client) => client.query('delete from carillon.feed_cursors'))
      const topicPrefix = `${database.name}-${round}.`
      const { child } = await startServiceChild({
        databaseUrl: database.url,
        role: 'relay',
        kafka: { brokers, topicPrefix },
      })
      try {
        const show = (published: number) => progress.show(`${published} of ${events} published`)
        rounds.push(await publishAll(child, events, { service: child.pid, postgres: postmaster, broker }, show))
      } finally {
        await child.stop()
      }
    }
    return summary(rounds, events)
  } finally {
    await database.drop()
  }
}

async function fill(databaseUrl: string, events: number): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    await client.query('set synchronous_commit = off') // it is the reading that is measured
    for (let left = events / eventsPerStory; left > 0; left -= storiesPerCommit)
      await client.query({ name: 'fill', text: fillSql, values: [benchTenant, Math.min(left, storiesPerCommit)] })
    await client.query('analyze carillon.status_log')
  })
}

async function publishAll(
  child: Child,
  events: number,
  pids: { service?: number; postgres?: number; broker?: number },
  show: (published: number) => void,
): Promise<Round> {
  const cpu = () => ({
    service: cpuMsOf(pids.service),
    postgres: cpuMsOf(pids.postgres),
    broker: cpuMsOf(pids.broker),
  })
  let first: { published: number; atMs: number; cpu: ReturnType<typeof cpu> } | undefined
  const deadlineMs = monotonicMs() + patienceMs
  for (;;) {
    const { published, atMs } = await child.call<ServiceCounts>('counts')
    show(published)
    // Leading, topics and connections are done when the first batch is out: from there on it is a rate.
    if (!first && published > 0) first = { published, atMs, cpu: cpu() }
    if (first && published >= events) {
      const since = first
      const now = cpu()
      const counted = published - since.published
      const of = (name: 'service' | 'postgres' | 'broker') => {
        const [from, to] = [since.cpu[name], now[name]]
        return from === undefined || to === undefined ? undefined : Math.round(((to - from) / counted) * 10_000) / 10
      }
      return {
        perSecond: perSecond(counted, atMs - since.atMs),
        usPerEvent: { service: of('service'), postgres: of('postgres'), broker: of('broker') },
        peakMiB: { service: memoryOf(pids.service)?.peakMiB, broker: memoryOf(pids.broker)?.peakMiB },
      }
    }
    if (atMs > deadlineMs) throw new Error(`the relay has published ${published} of ${events} events in two minutes`)
    await sleep(10)
  }
}

function summary(rounds: readonly Round[], events: number): ScenarioResult {
  const spread = spreadOf(rounds.map((round) => round.perSecond))
  const median = (of: (round: Round) => number | undefined) => {
    const known = rounds.map(of).filter((value) => value !== undefined)
    return known.length === 0 ? undefined : medianOf(known)
  }
  const usPerEvent = {
    service: median((round) => round.usPerEvent.service),
    postgres: median((round) => round.usPerEvent.postgres),
    broker: median((round) => round.usPerEvent.broker),
  }
  const peakMiB = {
    service: median((round) => round.peakMiB.service),
    broker: median((round) => round.peakMiB.broker),
  }
  const told = ([name, value]: [string, number | undefined]) => (value === undefined ? [] : `${name} ${value}`)
  const cpu = Object.entries(usPerEvent).flatMap(told).join(', ')
  return {
    unit: 'events',
    perSecond: Math.round(spread.median),
    spread: spreadIfMany(rounds.length, spread),
    events,
    usPerEvent,
    peakMiB,
    remark: `${events} events that wait${cpu ? `; µs of CPU an event: ${cpu}` : ''}; service at most ${peakMiB.service ?? '?'} MiB`,
  }
}
