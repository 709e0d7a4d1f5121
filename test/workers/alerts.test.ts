/** Silences, inhibitions and schedules on the whole way from a request to what is decided, and decided again. */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { IntentPayload } from '../../src/domain/intent.ts'
import { createInhibition, deleteInhibition } from '../../src/store/inhibitions.ts'
import { ensurePartitions } from '../../src/store/partitions.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { createSchedule } from '../../src/store/schedules.ts'
import { createSilence, endSilence } from '../../src/store/silences.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { runSchedules } from '../../src/workers/run-schedules.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld } from '../support/world.ts'

const clock = testClock('2026-11-20T12:00:00Z')
const world = await createWorld(clock)
await ensurePartitions(world.worker, 20, clock.now())

beforeEach(() => {
  clock.advance(60_000)
})

const stateOf = async (intentId: string) =>
  (
    await world.rows<{ outcome: string | null; reason: string | null; state: string | null; until: Date | null }>(
      `select n.outcome::text, coalesce(d.reason, n.reason) as reason, d.state::text, s.until from carillon.notifications n
       left join carillon.deliveries d on d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
       left join carillon.snoozes s on s.tenant_id = d.tenant_id and s.delivery_id = d.id
       where n.tenant_id = $1 and carillon.intent_id_of(n.id) = $2 order by n.id, d.id`,
      [world.tenant, intentId],
    )
  )[0]
const planned = async (payload: Partial<IntentPayload>, fields: Parameters<typeof world.intent>[1] = {}) => {
  const [id] = await world.plan([world.intent(payload, fields)])
  return id!
}
const again = () => decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })

async function silence(matcher: string, forMs = 3_600_000) {
  const id = world.ids.id()
  const [startsAt, endsAt] = [clock.now(), new Date(clock.now().getTime() + forMs)]
  const made = { id, matcher, startsAt, endsAt, author: 'ann', comment: 'known' }
  await createSilence(world.worker, world.tenant, made, clock.now())
  clock.advance(1_000)
  return id
}

describe('a silence', () => {
  it('holds back what matches, CRITICAL too, and lets the rest through; both are told', async () => {
    const id = await silence('event.type == "disk.full"')
    const held = await planned({}, { type: 'disk.full', priority: 3 })
    const { outcome, reason } = (await stateOf(held))!
    assert.deepEqual([outcome, reason], ['suppressed', 'silenced'])
    assert.equal((await stateOf(await planned({}, { type: 'disk.slow' })))!.state, 'queued')
    await endSilence(world.worker, world.tenant, id, clock.now())
    clock.advance(1_000)
    assert.equal((await stateOf(await planned({}, { type: 'disk.full' })))!.state, 'queued')
  })

  it('that came while something waited holds it back when its time comes', async () => {
    const waiting = await planned({ schedule: { delayMs: 600_000 } }, { type: 'fan.slow' })
    assert.deepEqual((await stateOf(waiting))!.state, 'snoozed')
    const id = await silence('event.type == "fan.slow"')
    clock.advance(600_000)
    await again()
    assert.equal((await stateOf(waiting))!.reason, 'silenced')
    await endSilence(world.worker, world.tenant, id, clock.now())
  })

  it('of everything does not hold back what tells a tenant of its own events', async () => {
    const id = await silence('true')
    const payload = {
      recipients: [{ type: 'system' as const, id: 'endpoint', webhookUrl: 'https://example.com/' }],
      channels: ['webhook' as const],
    }
    const statusEvent = { id: world.ids.id(), at: clock.now().toISOString() }
    assert.notEqual((await stateOf(await planned({ ...payload, statusEvent })))!.reason, 'silenced')
    assert.equal((await stateOf(await planned(payload)))!.reason, 'silenced')
    await endSilence(world.worker, world.tenant, id, clock.now())
    clock.advance(1_000)
  })
})

describe('an inhibition', () => {
  it('holds back while the alert is open, also when a chunk is planned twice', async () => {
    const id = world.ids.id()
    const texts = {
      source: 'event.type == "host.down"',
      target: 'event.type == "service.down"',
      equal: ['event.data.host'],
    }
    await createInhibition(world.worker, world.tenant, { id, name: 'hosts', enabled: true, ...texts }, clock.now())
    clock.advance(1_000)
    const down = await planned({ data: { host: 'a' } }, { type: 'host.down' })
    assert.equal((await stateOf(down))!.state, 'queued')
    clock.advance(1)
    const held = await planned({ data: { host: 'a' } }, { type: 'service.down' })
    await processIntents({ tenant_id: world.tenant, ids: [down, held] }, world.planning)
    assert.equal((await stateOf(held))!.reason, 'inhibited')
    clock.advance(1)
    await planned({ data: { host: 'a', status: 'resolved' } }, { type: 'host.down' })
    clock.advance(1)
    assert.equal((await stateOf(await planned({ data: { host: 'a' } }, { type: 'service.down' })))!.state, 'queued')
    await deleteInhibition(world.worker, world.tenant, id)
    clock.advance(1_000)
  })

  it('is opened by an event that no rule wants', async () => {
    const id = world.ids.id()
    const texts = { source: 'event.type == "power.lost"', target: 'event.type == "lamp.off"', equal: [] }
    await createInhibition(world.worker, world.tenant, { id, name: 'power', enabled: true, ...texts }, clock.now())
    clock.advance(1_000)
    const event = { recipients: undefined, channels: undefined, subject: undefined, event: { domain: 'power' } }
    await planned(event, { type: 'power.lost', kind: 'event', eventId: 'p-1' })
    clock.advance(1)
    assert.equal((await stateOf(await planned({}, { type: 'lamp.off' })))!.reason, 'inhibited')
    await deleteInhibition(world.worker, world.tenant, id)
    clock.advance(1_000)
  })
})

describe('a schedule by the recipient’s clock', () => {
  const inKolkata = {
    recipients: [{ type: 'user' as const, id: 'asha', email: 'asha@example.com', timezone: 'Asia/Kolkata' }],
  }

  it('waits for nine in the morning there, and goes then', async () => {
    clock.set('2026-11-23T12:00:00Z')
    const id = await planned({ ...inKolkata, schedule: { localTime: '09:00' } })
    const { state, reason, until } = (await stateOf(id))!
    assert.deepEqual([state, reason, until], ['snoozed', 'scheduled', new Date('2026-11-24T03:30:00Z')])
    clock.set('2026-11-24T03:29:59Z')
    assert.equal(await again(), 0)
    clock.set('2026-11-24T03:30:00Z')
    await again()
    assert.equal((await stateOf(id))!.state, 'queued')
  })

  it('is reckoned from scheduledAt, at first and when it is decided again', async () => {
    clock.set('2026-11-23T12:00:00Z')
    const schedule = { delayMs: 3_600_000 }
    const request = world.intent({ ...inKolkata, schedule }, { scheduledAt: '2026-11-24T12:00:00Z' })
    const { intentId } = (await world.accept([request]))[0]!
    clock.set('2026-11-24T12:00:05Z') // when its job is worked
    await processIntents({ tenant_id: world.tenant, ids: [intentId] }, world.planning)
    assert.deepEqual((await stateOf(intentId))!.until, new Date('2026-11-24T13:00:00Z'))
    clock.set('2026-11-24T13:00:00Z')
    await again()
    assert.equal((await stateOf(intentId))!.state, 'queued')
  })

  it('of everybody’s Monday morning: in the window of each zone', async () => {
    clock.set('2026-12-06T10:00:00Z') // Monday begins on Kiritimati
    const zones = {
      'Pacific/Kiritimati': '2026-12-06T19:00',
      'Europe/Berlin': '2026-12-07T08:00',
      'America/Los_Angeles': '2026-12-07T17:00',
    }
    for (const [timezone, until] of Object.entries(zones)) {
      const recipients = [{ type: 'user' as const, id: timezone, email: 'a@example.com', timezone }]
      const sendWindow = { startTime: '09:00', endTime: '12:00', days: [1] }
      const id = await planned({ recipients, schedule: { localTime: '09:00', sendWindow } })
      assert.deepEqual((await stateOf(id))!.until, new Date(`${until}:00Z`), timezone)
    }
  })

  it('moves with the zone of a recipient who is known', async () => {
    clock.set('2026-12-08T12:00:00Z')
    const profile = { externalId: 'mara', name: null, locale: null, roles: [], groups: [] }
    const contactPoints = [{ channel: 'email' as const, address: 'mara@example.com' }]
    const move = (timezone: string) =>
      upsertRecipients(world.worker, world.tenant, [{ ...profile, timezone, contactPoints }], clock.now())
    await move('Europe/Berlin')
    const id = await planned({ recipients: [{ type: 'user', id: 'mara' }], schedule: { localTime: '09:00' } })
    assert.deepEqual((await stateOf(id))!.until, new Date('2026-12-09T08:00:00Z'))
    clock.advance(60_000)
    await move('America/New_York')
    await again()
    assert.deepEqual((await stateOf(id))!.until, new Date('2026-12-08T14:00:00Z'))
  })
})

describe('a recurring schedule', () => {
  it('becomes notifications, each by its recipient’s clock', async () => {
    clock.set('2026-12-09T04:59:00Z')
    const id = world.ids.id()
    const recipient = { id: 'asha', email: 'asha@example.com', timezone: 'Asia/Kolkata' }
    const request = {
      type: 'report.weekly',
      recipient,
      channels: ['email'],
      subject: 'Report',
      schedule: { localTime: '18:00' },
    }
    const at = { startsAt: clock.now(), recurrence: { cron: '0 5 * * 3' }, nextAt: new Date('2026-12-09T05:00:00Z') }
    const made = { id, name: 'weekly', kind: 'direct' as const, request, enabled: true, ...at }
    await createSchedule(world.worker, world.tenant, made, clock.now(), 10)
    clock.set('2026-12-09T05:00:00Z')
    const on = {
      ...world.planning,
      pool: world.worker,
      keyTtlMs: 86_400_000,
      chunkSize: 100,
      logger: { warn() {} },
      ring() {},
    }
    assert.equal(await runSchedules(on, clock.now()), 1)
    const [intent] = await world.rows<{ id: string }>(`select id from carillon.intents where type = 'report.weekly'`)
    await processIntents({ tenant_id: world.tenant, ids: [intent!.id] }, world.planning)
    assert.deepEqual((await stateOf(intent!.id))!.until, new Date('2026-12-09T12:30:00Z'))
  })
})
