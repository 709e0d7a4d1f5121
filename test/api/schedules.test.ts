import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { ensurePartitions } from '../../src/store/partitions.ts'
import { type RunSchedulesDeps, runSchedules } from '../../src/workers/run-schedules.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const all = `id name recurrence { cron rrule timezone } send event startsAt endsAt expiresAfter enabled nextAt upcoming(first: 2) runs
  lastOccurrence lastIntentId lastError`
const create = `mutation ($input: RecurringScheduleInput!) { createSchedule(input: $input) { ${all} } }`
const update = `mutation ($id: ID!, $input: RecurringScheduleInput!) { updateSchedule(id: $id, input: $input) { ${all} } }`
const enable = `mutation ($id: ID!, $enabled: Boolean) { enableSchedule(id: $id, enabled: $enabled) { ${all} } }`
const remove = 'mutation ($id: ID!) { deleteSchedule(id: $id) }'
const one = `query ($id: ID!) { schedule(id: $id) { ${all} } }`

const send = {
  type: 'report.weekly',
  recipients: [{ type: 'ROLE', id: 'managers' }, { id: 'ann' }],
  channels: ['EMAIL'],
  priority: 'LOW',
  template: 'weekly-report',
  schedule: { localTime: '09:00' },
}
let count = 0
const aSchedule = (changes: object = {}) => ({
  name: `schedule ${count++}`,
  recurrence: { cron: '0 6 * * 1', timezone: 'Europe/Berlin' },
  send,
  ...changes,
})
const created = async (changes: object = {}): Promise<Data> =>
  (await world.data(create, { input: aSchedule(changes) })).createSchedule
const read = async (id: string): Promise<Data> => (await world.data(one, { id })).schedule

let on: RunSchedulesDeps
before(async () => {
  on = {
    pool: world.worker,
    ids: world.ids,
    keyTtlMs: 86_400_000,
    chunkSize: 100,
    logger: { warn: () => {} },
    ring: () => {},
  }
  world.clock.set('2026-11-20T10:00:00Z')
  await ensurePartitions(world.worker, 2, world.clock.now())
})

describe('a schedule', () => {
  it('is made, and says when it comes and what it sends', async () => {
    const { id, ...said } = await created({ name: 'weekly', expiresAfter: 3_600 })
    assert.deepEqual(said, {
      name: 'weekly',
      recurrence: { cron: '0 6 * * 1', rrule: null, timezone: 'Europe/Berlin' },
      send: { ...send, recipients: [send.recipients[0], { id: 'ann', type: 'USER' }] },
      event: null,
      startsAt: '2026-11-20T10:00:00.000Z',
      endsAt: null,
      expiresAfter: 3_600,
      enabled: true,
      nextAt: '2026-11-23T05:00:00.000Z',
      upcoming: ['2026-11-23T05:00:00.000Z', '2026-11-30T05:00:00.000Z'],
      runs: 0,
      lastOccurrence: null,
      lastIntentId: null,
      lastError: null,
    })
    assert.ok((await world.data('{ schedules { id } }')).schedules.some((each: Data) => each.id === id))
    await world.data(remove, { id })
    assert.equal(await read(id), null)
    assert.equal((await world.error(remove, { id })).extensions.code, 'NOT_FOUND')
  })

  it('runs, and each occurrence is a request like any other', async () => {
    const { id } = await created({ recurrence: { rrule: 'FREQ=HOURLY', timezone: 'UTC' } })
    world.clock.set('2026-11-20T11:00:00Z')
    assert.equal(await runSchedules(on, world.clock.now()), 1)
    const { runs, lastIntentId, nextAt } = await read(id)
    assert.equal(runs, 1)
    assert.equal(nextAt, '2026-11-20T12:00:00.000Z')
    const [intent] = await world.rows('select * from carillon.intents where id = $1', [lastIntentId])
    assert.deepEqual(intent!.payload.channels, ['email'])
    assert.equal(intent!.payload.recipients[0].type, 'role')
    assert.deepEqual(intent!.payload.schedule, { localTime: '09:00' })
    await world.data(remove, { id })
  })

  it('may publish an event', async () => {
    const event = { type: 'billing.cycle.ended', data: { plan: 'pro' } }
    const made = await created({ send: undefined, event })
    assert.deepEqual(made.event, event)
    assert.equal(made.send, null)
    await world.data(remove, { id: made.id })
  })

  it('rests while it is switched off, and what it missed is not made up for', async () => {
    world.clock.set('2026-11-20T10:00:00Z')
    const { id } = await created({ recurrence: { cron: '0 * * * *' } })
    assert.equal((await world.data(enable, { id, enabled: false })).enableSchedule.nextAt, null)
    world.clock.set('2026-11-20T15:30:00Z')
    assert.equal(await runSchedules(on, world.clock.now()), 0)
    assert.equal((await world.data(enable, { id })).enableSchedule.nextAt, '2026-11-20T16:00:00.000Z')
    assert.equal(await runSchedules(on, world.clock.now()), 0)
    await world.data(remove, { id })
  })

  it('another text leaves what is due as it is; another recurrence begins now', async () => {
    world.clock.set('2026-11-20T10:00:01Z')
    const { id, name } = await created({ recurrence: { cron: '0 * * * *' } })
    world.clock.set('2026-11-20T11:00:00Z')
    const recurrence = { cron: '0 * * * *' }
    const changed = (
      await world.data(update, { id, input: aSchedule({ name, recurrence, send: { ...send, priority: 'HIGH' } }) })
    ).updateSchedule
    assert.equal(changed.nextAt, '2026-11-20T11:00:00.000Z')
    assert.equal(changed.send.priority, 'HIGH')
    const moved = await world.data(update, { id, input: aSchedule({ name, recurrence: { cron: '30 * * * *' } }) })
    assert.equal(moved.updateSchedule.nextAt, '2026-11-20T11:30:00.000Z')
    await world.data(remove, { id })
  })

  it('is of one tenant alone, and needs the scope "manage"', async () => {
    const { id } = await created()
    const other = { key: world.otherKey }
    assert.deepEqual(await world.data(`{ schedules { id } schedule(id: "${id}") { id } }`, {}, other), {
      schedules: [],
      schedule: null,
    })
    for (const [query, input] of [[remove], [enable], [update, aSchedule()]] as const) {
      assert.equal((await world.error(query, { id, input }, other)).extensions.code, 'NOT_FOUND')
    }
    const { key } = await world.newKey(['read', 'send'])
    assert.equal((await world.error(one, { id }, { key })).extensions.code, 'FORBIDDEN')
    await world.data(remove, { id })
  })

  it('a name is there once', async () => {
    const { id, name } = await created()
    assert.deepEqual((await world.error(create, { input: aSchedule({ name }) })).extensions.path, ['input', 'name'])
    await world.data(remove, { id })
  })

  const faults: [name: string, changes: object, path: string][] = [
    ['no name', { name: '' }, 'name'],
    ['nothing to send', { send: null }, 'send'],
    ['two things to send', { event: { type: 'a.b', data: {} } }, 'send'],
    ['a request without content', { send: { ...send, template: null } }, 'send.template'],
    ['a request to nobody', { send: { ...send, recipients: [] } }, 'send.recipients'],
    ['a key of its own', { send: { ...send, idempotencyKey: 'k' } }, 'send.idempotencyKey'],
    ['a moment of its own', { send: { ...send, scheduledAt: '2026-12-01T00:00:00Z' } }, 'send.scheduledAt'],
    ['an event of no type', { send: null, event: { type: '', data: {} } }, 'event.type'],
    ['no recurrence', { recurrence: {} }, 'recurrence'],
    ['two recurrences', { recurrence: { cron: '0 0 * * *', rrule: 'FREQ=DAILY' } }, 'recurrence'],
    ['a day that never comes', { recurrence: { cron: '0 0 30 2 *' } }, 'recurrence.cron'],
    ['a rule by the second', { recurrence: { rrule: 'FREQ=SECONDLY' } }, 'recurrence.rrule'],
    ['an end before its beginning', { startsAt: '2027-01-02T00:00:00Z', endsAt: '2027-01-01T00:00:00Z' }, 'endsAt'],
    ['an end before its first occurrence', { endsAt: '2026-11-21T00:00:00Z' }, 'recurrence'],
    [
      'a series that is over',
      { recurrence: { rrule: 'DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=3' } },
      'recurrence',
    ],
    ['an expiry at once', { expiresAfter: 0 }, 'expiresAfter'],
  ]
  for (const [name, changes, path] of faults) {
    it(`is refused for ${name}, naming ${path}`, async () => {
      world.clock.set('2026-11-20T10:00:00Z')
      const error = await world.error(create, { input: aSchedule(changes) })
      assert.equal(error.extensions.code, 'VALIDATION_FAILED', error.message)
      assert.equal(error.extensions.path?.join('.'), `input.${path}`)
    })
  }
})
