import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Channel, channels } from '../../src/domain/channel.ts'
import { deliveryId } from '../../src/domain/ids.ts'
import {
  type DeliveryState,
  deliveryStates,
  type NotificationOutcome,
  type NotificationStatus,
  notificationStatus,
  notificationStatuses,
  unplannedStatus,
} from '../../src/domain/notification-status.ts'
import { asTenants } from '../../src/platform/db.ts'
import { pageNotifications } from '../../src/store/notifications.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()

type Facts = { channel: Channel; state: DeliveryState }[]

const table: [NotificationStatus, NotificationOutcome | null, DeliveryState[]][] = [
  ['cancelled', 'cancelled', []],
  ['suppressed', 'suppressed', []],
  ['sent', 'sent', []],
  ['pending', null, []],
  ['queued', null, ['queued']],
  ['queued', null, ['queued', 'held']],
  ['queued', null, ['failed', 'held']],
  ['queued', null, ['cancelled', 'queued']],
  ['scheduled', null, ['snoozed']],
  ['scheduled', null, ['snoozed', 'held', 'suppressed']],
  ['queued', null, ['snoozed', 'queued']],
  ['sending', null, ['sending', 'queued']],
  ['retrying', null, ['retrying', 'queued', 'failed']],
  ['sent', null, ['sent', 'sending', 'failed']],
  ['delivered', null, ['delivered', 'sent', 'failed']],
  ['cancelled', null, ['cancelled', 'cancelled']],
  ['suppressed', null, ['suppressed']],
  ['expired', null, ['expired', 'expired']],
  ['failed', null, ['failed']],
  ['failed', null, ['bounced']],
  ['failed', null, ['cancelled', 'suppressed']],
  ['failed', null, ['expired', 'cancelled']],
]

const facts = (states: readonly DeliveryState[], last?: Channel): Facts =>
  states.map((state, index) => ({ channel: (index === states.length - 1 && last) || channels[index]!, state }))

describe('the status of a notification', () => {
  for (const [expected, outcome, deliveries] of table) {
    it(`is ${expected} with ${outcome ?? 'no outcome'} and deliveries [${deliveries}]`, () => {
      assert.equal(notificationStatus(outcome, facts(deliveries)), expected)
    })
  }

  it('is not told by the audit line, unless there is nothing else', () => {
    assert.equal(notificationStatus(null, facts(['queued', 'sent'], 'audit')), 'queued')
    assert.equal(notificationStatus(null, facts(['suppressed', 'sent'], 'audit')), 'suppressed')
    assert.equal(notificationStatus(null, facts(['failed', 'sent'], 'audit')), 'failed')
    assert.equal(notificationStatus(null, facts(['sent'], 'audit')), 'sent')
  })

  it('is told by both SQL twins as by the function, for every pair of states, every outcome and the audit line', async () => {
    const cases: [NotificationOutcome | null, Facts][] = table.map(([, outcome, states]) => [outcome, facts(states)])
    cases.push([null, facts(['sent'], 'audit')])
    for (const one of deliveryStates) {
      cases.push([null, facts([one, 'sent'], 'audit')])
      for (const other of deliveryStates) cases.push([null, facts([one, other])])
    }
    const expected = new Map<string, NotificationStatus>()
    const notifications: object[] = []
    const deliveries: object[] = []
    for (const [outcome, states] of cases) {
      const id = `${world.ids.intentId().slice(0, 28)}00000100`
      expected.set(id, notificationStatus(outcome, states))
      notifications.push({ id, outcome })
      for (const { channel, state } of states) deliveries.push({ id: deliveryId(id, channel), channel, state })
    }
    await world.admin.query(
      `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at, outcome)
       select $1, r.id, 'user', 'ann', 'a', 1, '{}', false, now(), now(), r.outcome
       from json_to_recordset($2) as r (id uuid, outcome carillon.delivery_state)`,
      [world.tenant, JSON.stringify(notifications)],
    )
    await world.admin.query(
      `insert into carillon.deliveries (tenant_id, id, channel, state, fallback_rank, priority, address, next_attempt_at, sent_at, created_at, updated_at)
       select $1, r.id, r.channel, r.state, 1, 1, '', case when r.state = 'retrying' then now() end, now(), now(), now()
       from json_to_recordset($2) as r (id uuid, channel carillon.channel, state carillon.delivery_state)`,
      [world.tenant, JSON.stringify(deliveries)],
    )
    const told = new Map<string, NotificationStatus>()
    for (const status of notificationStatuses) {
      const page = { statuses: [status], newestFirst: true, limit: 1_000 }
      const rows = await asTenants(world.api, [world.tenant], (trx) => pageNotifications(trx, world.tenant, page))
      for (const { id } of rows) {
        assert.equal(told.get(id), undefined, 'one status each')
        told.set(id, status)
      }
    }
    assert.deepEqual(told, new Map([...told.keys()].map((id) => [id, expected.get(id)])))
    assert.equal(told.size, cases.length)
    const viewed = await world.rows<{ id: string; status: NotificationStatus }>(
      'select id, status from carillon.notification_facts where tenant_id = $1',
      [world.tenant],
    )
    assert.deepEqual(new Map(viewed.map(({ id, status }) => [id, status])), expected)
  })
})

describe('the status of a notification that is not planned yet', () => {
  const now = new Date('2026-01-15T10:00:00Z')
  const later = new Date('2026-01-15T11:00:00Z')
  const earlier = new Date('2026-01-15T09:00:00Z')
  const cases: [NotificationStatus, Partial<Parameters<typeof unplannedStatus>[0]>][] = [
    ['pending', {}],
    ['pending', { scheduledAt: earlier }],
    ['scheduled', { scheduledAt: later }],
    ['expired', { expiresAt: earlier }],
    ['pending', { expiresAt: later }],
    ['failed', { outcome: 'failed' }],
    ['suppressed', { outcome: 'no_recipients', scheduledAt: later }],
  ]
  for (const [expected, facts] of cases) {
    it(`is ${expected} with ${JSON.stringify(facts)}`, () => {
      assert.equal(unplannedStatus({ outcome: null, scheduledAt: null, expiresAt: null, ...facts }, now), expected)
    })
  }
})
