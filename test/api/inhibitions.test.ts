import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scopeOf } from '../../src/domain/expressions/scope.ts'
import { compileInhibitions } from '../../src/domain/inhibitions.ts'
import { noteAlerts } from '../../src/pipeline/match/hold-back.ts'
import { loadInhibitions } from '../../src/store/inhibitions.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const all = 'id name source target equal resolved alert openFor enabled'
const create = `mutation ($input: InhibitionInput!) { createInhibition(input: $input) { ${all} } }`
const update = `mutation ($id: ID!, $input: InhibitionInput!) { updateInhibition(id: $id, input: $input) { ${all} } }`
const remove = 'mutation ($id: ID!) { deleteInhibition(id: $id) }'
const close = 'mutation ($id: ID!, $key: String!) { closeAlert(inhibitionId: $id, key: $key) }'
const open = 'query ($id: ID) { openAlerts(inhibitionId: $id) { inhibitionId key alert eventId openedAt expiresAt } }'

let count = 0
const anInhibition = (changes: object = {}) => ({
  name: `inhibition ${count++}`,
  source: 'event.type == "host.down"',
  target: 'event.type.startsWith("service.")',
  equal: ['event.data.host'],
  ...changes,
})
const created = async (changes: object = {}): Promise<Data> =>
  (await world.data(create, { input: anInhibition(changes) })).createInhibition

/** Notes an event with all inhibitions that are in use, and says whether it is held back. */
async function note(type: string, data: Record<string, unknown>): Promise<boolean> {
  world.clock.advance(1)
  const now = world.clock.now()
  const id = world.ids.intentId()
  const event = { id, eventId: 'e-1', scope: scopeOf({ event: { id, type, acceptedAt: now, priority: 1, data }, now }) }
  const inhibitions = compileInhibitions(await loadInhibitions(world.worker, world.tenant))
  return (await noteAlerts(world.worker, world.tenant, [event], inhibitions, now)).size > 0
}

describe('an inhibition', () => {
  it('is made, holds back, tells what is open, and is taken back', async () => {
    const { id, ...said } = await created({ name: 'hosts', openFor: 3_600 })
    assert.deepEqual(said, {
      ...anInhibition(),
      name: 'hosts',
      resolved: null,
      alert: null,
      openFor: 3_600,
      enabled: true,
    })
    await note('host.down', { host: 'db-1' })
    const { openAlerts } = await world.data(open, { id })
    assert.deepEqual(openAlerts, [
      {
        inhibitionId: id,
        key: '["db-1"]',
        alert: '',
        eventId: 'e-1',
        openedAt: world.clock.now().toISOString(),
        expiresAt: new Date(world.clock.now().getTime() + 3_600_000).toISOString(),
      },
    ])
    assert.equal(await note('service.slow', { host: 'db-1' }), true)
    assert.equal(await note('service.slow', { host: 'db-2' }), false)
    assert.equal((await world.data(close, { id, key: '["db-1"]' })).closeAlert, true)
    assert.equal((await world.data(close, { id, key: '["db-1"]' })).closeAlert, false)
    assert.equal(await note('service.slow', { host: 'db-1' }), false)
    assert.equal((await world.data(remove, { id })).deleteInhibition, true)
    assert.equal((await world.error(remove, { id })).extensions.code, 'NOT_FOUND')
  })

  it('what neither event has is equal', async () => {
    const { id } = await created({ equal: ['event.data.region'] })
    await note('host.down', { host: 'x' })
    assert.equal(await note('service.slow', {}), true)
    assert.equal(await note('service.slow', { region: 'eu' }), false)
    await world.data(remove, { id })
  })

  it('alerts of one key are over each for itself, where they are told apart', async () => {
    const { id } = await created({ equal: ['event.data.rack'], alert: 'event.data.host' })
    await note('host.down', { rack: 'r1', host: 'a' })
    await note('host.down', { rack: 'r1', host: 'b' })
    await note('host.down', { rack: 'r1', host: 'a', status: 'resolved' })
    assert.equal(await note('service.slow', { rack: 'r1' }), true)
    await note('host.down', { rack: 'r1', host: 'b', status: 'resolved' })
    assert.equal(await note('service.slow', { rack: 'r1' }), false)
    await world.data(remove, { id })
  })

  it('other keys forget what was open; another name and target do not', async () => {
    const { id, name } = await created()
    const count = async () => (await world.data(open, { id })).openAlerts.length
    await note('host.down', { host: 'db-1' })
    await world.data(update, { id, input: anInhibition({ target: 'event.priority < HIGH' }) })
    assert.equal(await count(), 1)
    await world.data(update, { id, input: anInhibition({ name, equal: [] }) })
    assert.equal(await count(), 0)
    await world.data(remove, { id })
  })

  it('one that is switched off holds nothing back', async () => {
    const { id } = await created()
    await note('host.down', { host: 'db-1' })
    await world.data(update, { id, input: anInhibition({ enabled: false }) })
    assert.equal(await note('service.slow', { host: 'db-1' }), false)
    await world.data(remove, { id })
  })

  it('a name is there once', async () => {
    const { id, name } = await created()
    const other = await created()
    assert.deepEqual((await world.error(create, { input: anInhibition({ name }) })).extensions.path, ['input', 'name'])
    const renamed = await world.error(update, { id: other.id, input: anInhibition({ name }) })
    assert.deepEqual(renamed.extensions.path, ['input', 'name'])
    for (const one of [id, other.id]) await world.data(remove, { id: one })
  })

  it('is of one tenant alone', async () => {
    const { id } = await created()
    await note('host.down', { host: 'db-1' })
    const other = { key: world.otherKey }
    assert.deepEqual(await world.data(`{ inhibitions { id } openAlerts { key } }`, {}, other), {
      inhibitions: [],
      openAlerts: [],
    })
    assert.equal((await world.data(close, { id, key: '["db-1"]' }, other)).closeAlert, false)
    assert.equal((await world.error(remove, { id }, other)).extensions.code, 'NOT_FOUND')
    await world.data(remove, { id })
  })

  const faults: [name: string, changes: object, path: string][] = [
    ['no name', { name: '' }, 'name'],
    ['a source that is no CEL', { source: '(' }, 'source'],
    ['a target that is no condition', { target: '1 + 1' }, 'target'],
    ['a key that is no CEL', { equal: ['event.data.host', 'host'] }, 'equal.1'],
    ['too many keys', { equal: Array(21).fill('event.type') }, 'equal'],
    ['a resolution that is no condition', { resolved: 'event.type' }, 'resolved'],
    ['an alert of no time at all', { openFor: 0 }, 'openFor'],
  ]
  for (const [name, changes, path] of faults) {
    it(`is refused for ${name}, naming ${path}`, async () => {
      const error = await world.error(create, { input: anInhibition(changes) })
      assert.equal(error.extensions.code, 'VALIDATION_FAILED')
      assert.equal(error.extensions.path?.join('.'), `input.${path}`)
    })
  }
})
