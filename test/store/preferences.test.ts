import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { parsePreferences } from '../../src/domain/parse-preferences.ts'
import {
  changePreferences,
  defaultsOf,
  findPreferences,
  forgetPreferences,
  judgePreferences,
  listPreferenceVersions,
  loadDefaults,
  preferencesAt,
} from '../../src/store/preferences.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
const clock = testClock()
before(async () => {
  world = await createWorld(clock)
})

async function change(recipientId: string, patch: Record<string, unknown>): Promise<number> {
  const client = await world.api.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('carillon.tenant_id', $1, true)`, [world.tenant])
    const by = 'a test'
    const version = await changePreferences(client, world.tenant, { recipientId, patch, by }, clock.now())
    await client.query('commit')
    return version
  } finally {
    client.release()
  }
}

test('what is stored is read as the gates know it', () => {
  assert.deepEqual(parsePreferences({ enabled: false, minPriority: 2, pausedUntil: '2026-12-24T00:00:00.000Z' }), {
    enabled: false,
    minPriority: 2,
    pausedUntil: new Date('2026-12-24T00:00:00Z'),
  })
  for (const nothing of [{}, null, undefined, 'x']) assert.deepEqual(parsePreferences(nothing), {})
})

test('the defaults of a tenant are read with their version', async () => {
  assert.equal(await loadDefaults(world.worker, world.tenant), undefined)
  await change(defaultsOf, { categories: { news: { frequency: 'DAILY' } } })
  assert.deepEqual(await loadDefaults(world.worker, world.tenant), {
    version: 1,
    said: { categories: { news: { frequency: 'daily' } } },
  })
  assert.equal(await loadDefaults(world.worker, world.otherTenant), undefined)
})

test('preferences are judged without being written', async () => {
  assert.deepEqual(await judgePreferences(world.api, { channels: { SMS: { enabled: false } }, enabled: null }), {
    channels: { sms: { enabled: false } },
  })
  const judging = judgePreferences(world.api, { categories: { 'a.b': { frequency: 'x' } } })
  await assert.rejects(judging, { code: '22023', detail: '["categories","a.b","frequency"]' })
})

test('a clock that goes back leaves the history in order', async () => {
  await change('ann', { enabled: false })
  clock.advance(-60_000)
  await change('ann', { enabled: true })
  clock.advance(120_000)
  await change('ann', { enabled: false })
  const [third, second, first] = await listPreferenceVersions(world.worker, world.tenant, 'ann', undefined, 10)
  assert.deepEqual([first!.valid_to, second!.valid_to, third!.valid_to], [second!.valid_from, third!.valid_from, null])
  assert.ok(first!.valid_from <= second!.valid_from && second!.valid_from < third!.valid_from)
  const at = await preferencesAt(world.worker, world.tenant, ['ann'], first!.valid_from)
  assert.deepEqual(at.get('ann'), { version: 2, said: { enabled: true } })
})

test('who is to be forgotten leaves neither preferences nor history, and begins anew', async () => {
  await change('bea', { enabled: false })
  await change('bea', { enabled: true })
  await forgetPreferences(world.worker, world.tenant, ['bea'])
  assert.equal(await findPreferences(world.worker, world.tenant, 'bea'), undefined)
  assert.deepEqual(await listPreferenceVersions(world.worker, world.tenant, 'bea', undefined, 10), [])
  assert.equal(await change('bea', { enabled: false }), 1)
})
