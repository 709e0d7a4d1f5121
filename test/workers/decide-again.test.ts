import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RecipientRef } from '../../src/domain/intent.ts'
import type { Rule } from '../../src/domain/rule.ts'
import { asTenants } from '../../src/platform/db.ts'
import { changePreferences } from '../../src/store/preferences.ts'
import { definitionOf, saveRules } from '../../src/store/rules.ts'
import type { SettingsCatalogue } from '../../src/store/tenant-settings.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { eventually } from '../support/eventually.ts'
import { aRule } from '../support/rules.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld } from '../support/world.ts'

const evening = '2026-11-20T23:30:00Z'
const morning = '2026-11-21T07:00:00Z'
const clock = testClock(evening)
const world = await createWorld(clock)

const say = (recipientId: string, patch: Record<string, unknown>) =>
  asTenants(world.api, [world.tenant], (trx) =>
    changePreferences(trx, world.tenant, { recipientId, patch, by: 'test' }, clock.now()),
  )
const quietHours = { enabled: true, startTime: '22:00', endTime: '07:00', allowCritical: true }

async function waitingFor(...ids: string[]): Promise<string[]> {
  clock.set(evening)
  for (const id of ids) await say(id, { quietHours })
  const request = (id: string) => world.intent({ recipients: [{ type: 'user', id, email: `${id}@example.com` }] })
  return world.plan(ids.map(request))
}
const stateOf = async (intentId: string) => {
  const [row] = await world.rows<{ state: string }>(
    'select state::text from carillon.deliveries where tenant_id = $1 and carillon.intent_id_of(id) = $2',
    [world.tenant, intentId],
  )
  return row?.state
}
const logged: unknown[] = []
const on = {
  ...world.planning,
  pool: world.worker,
  chunkSize: 100,
  logger: { error: (about: unknown) => logged.push(about) },
}

test('one that cannot be decided holds up no other, and is tried again later', async () => {
  const intents = await waitingFor('ann', 'bob', 'eve', 'fay', 'gus')
  const poison = intents[2]!
  await world.admin.query(`update carillon.intents set payload = 'null' where id = $1`, [poison])
  clock.set(morning)
  await decideAgain(on)
  const states = await Promise.all(intents.map(stateOf))
  assert.deepEqual(states, ['queued', 'queued', 'snoozed', 'queued', 'queued'])
  const left = await world.rows<{ until: Date }>('select until from carillon.snoozes')
  assert.deepEqual(
    left.map(({ until }) => until.toISOString()),
    ['2026-11-21T07:01:00.000Z'],
  )
  assert.equal(logged.length, 1)
  await world.admin.query('delete from carillon.snoozes')
})

test('who opts out while it is being decided is not sent what was decided by what he said before', async () => {
  const [intent] = await waitingFor('hal')
  clock.set(morning)
  let saying: Promise<unknown> | undefined
  const settings: SettingsCatalogue = {
    async of(tenantId) {
      // The people are loaded, and nothing is written yet.
      saying ??= say('hal', { enabled: false })
      const isWaiting = eventually(async () => {
        const blocked = await world.rows(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        assert.equal(blocked.length, 1)
      })
      await Promise.race([saying, isWaiting])
      return world.planning.settings.of(tenantId)
    },
  }
  assert.equal(await decideAgain({ ...on, settings }), 1)
  await saying
  assert.equal(await stateOf(intent!), 'suppressed')
})

const save = async (rule: Rule) => {
  const row = { id: rule.id, name: rule.name, enabled: true, definition: definitionOf(rule) }
  await saveRules(world.worker, world.tenant, [row], 'test', clock.now())
  clock.advance(1_000)
}
const event = (type: string) => {
  const none = { recipients: undefined, channels: undefined, subject: undefined, body: undefined }
  return world.intent({ ...none, event: { domain: 'shop' } }, { kind: 'event', type, eventId: world.ids.id() })
}
/** Nobody of whom we have a record: the address is the rule's. */
const isa: RecipientRef = { type: 'user', id: 'isa', email: 'isa@example.com' }

test('whom a rule names by id and address is sent there, also after a wait', async () => {
  clock.set(evening)
  await say('isa', { quietHours })
  const templateVars = { subject: 'A', body: 'B' }
  await save(aRule({ eventTypes: ['shop.opened'], selector: { addresses: [isa] }, templateVars }))
  const [intent] = await world.plan([event('shop.opened')])
  assert.equal(await stateOf(intent!), 'snoozed')
  clock.set(morning)
  assert.equal(await decideAgain(on), 1)
  const rows = await world.rows(
    'select state::text, address from carillon.deliveries where carillon.intent_id_of(id) = $1',
    [intent],
  )
  assert.deepEqual(rows, [{ state: 'queued', address: 'isa@example.com' }])
})

test('a digest goes where the request or the rule has said', async () => {
  clock.set(evening)
  const digest = { windowMs: 60_000 }
  await save(
    aRule({ eventTypes: ['shop.sold'], selector: { addresses: [isa] }, digest, templateVars: { subject: 'A' } }),
  )
  await world.plan([event('shop.sold')])
  const rows = await world.rows(`select recipient from carillon.digests where recipient_id = 'isa'`)
  assert.deepEqual(rows, [{ recipient: isa }])
})
