import { request } from 'undici'
import type { Costs } from '../costs.ts'
import { benchTenant, inputOf } from '../load/load-item.ts'
import { eventsPerNotification, type Rig, withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import type { PhaseReport } from '../service/observer.ts'
import { medianOf, monotonicMs, perSecond, spreadOf, tenths } from '../statistics.ts'

const role = 'customers'

const mutation = `mutation FanOut($inputs: [SendNotificationInput!]!) {
  sendNotifications(inputs: $inputs) { status error { code } }
}`

const membersSql = `insert into carillon.recipients (tenant_id, external_id, name, roles, created_at, updated_at)
  select $1::uuid, 'member-' || lpad(n::text, 7, '0'), 'Ann Bell', array[$2::text], now(), now() from generate_series(1, $3::int) n`
const addressesSql = `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at)
  select r.tenant_id, r.external_id, 'email', r.external_id || '@example.com', now()
  from carillon.recipients r where r.tenant_id = $1::uuid`

interface FanOut {
  seconds: number
  report: PhaseReport
  /** From the request to its answer. */
  acceptMs: number
  peakMemoryMiB: number
  costs: Costs
}

/** One intent for every member of a role. */
export async function fanOut(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const members = options.quick ? 30_000 : 600_000
  return withRig(context, 'fan-out', {}, async (rig) => {
    progress.begin(`fan-out: ${members} members`)
    await rig.client.query(membersSql, [benchTenant, role, members])
    await rig.client.query(addressesSql, [benchTenant])
    await rig.client.query('vacuum analyze carillon.recipients, carillon.contact_points')
    const rounds: FanOut[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`fan-out: to ${members}, round ${round} of ${options.rounds}`)
      rounds.push(await fanOutOnce(rig, members))
    }
    const { faults, told } = await rig.reconcile(members)
    const seconds = spreadOf(rounds.map((round) => round.seconds))
    const rate = spreadOf(rounds.map((round) => perSecond(members, round.seconds * 1_000)))
    const peakMemoryMiB = Math.max(...rounds.map((round) => round.peakMemoryMiB))
    const median = (of: (report: PhaseReport) => number) => tenths(medianOf(rounds.map(({ report }) => of(report))))
    return {
      unit: 'notifications',
      perSecond: Math.round(rate.median),
      spread: spreadIfMany(rounds.length, rate),
      members,
      seconds: tenths(seconds.median),
      acceptMs: tenths(medianOf(rounds.map(({ acceptMs }) => acceptMs))),
      p50Ms: median(({ end }) => end.p50Ms),
      p95Ms: median(({ end }) => end.p95Ms),
      p99Ms: median(({ end }) => end.p99Ms),
      costs: { 'one intent to many': rounds.at(-1)!.costs },
      remark: `one intent, ${members} recipients, ${tenths(seconds.median)} s; the service at most ${peakMemoryMiB} MiB`,
      ...told,
      faults,
    }
  })
}

async function fanOutOnce(rig: Rig, members: number): Promise<FanOut> {
  const phase = rig.nextPhase()
  const meter = await rig.meter()
  const before = await rig.counts()
  const intendedMs = monotonicMs()
  await sendToRole(rig, phase, intendedMs)
  const acceptMs = monotonicMs() - intendedMs
  rig.tally({ accepted: 1, unanswered: 0 })
  await rig.untilSettled(before.settled + members)
  const seconds = (monotonicMs() - intendedMs) / 1_000
  // The intent has two of the events, and each of its notifications the others.
  await rig.untilPublished(before.published + 2 + members * (eventsPerNotification - 2))
  const { peakMemoryMiB } = await rig.counts()
  const report = await rig.service.call<PhaseReport>('phase', { phase })
  return { seconds, acceptMs, peakMemoryMiB, report, costs: await meter.read(members) }
}

async function sendToRole({ urls, apiKey }: Rig, phase: number, intendedMs: number): Promise<void> {
  const input = inputOf({ number: phase, phase, intendedMs, run: 'fan-out' })
  const inputs = [{ ...input, recipient: undefined, recipients: [{ type: 'ROLE', id: role }] }]
  const { statusCode, body } = await request(urls.graphql, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ query: mutation, variables: { inputs } }),
  })
  const text = await body.text()
  if (statusCode !== 200 || !text.includes('"ACCEPTED"')) throw new Error(`it was not accepted: ${text}`)
}
