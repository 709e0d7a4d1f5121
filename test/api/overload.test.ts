import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'

const world = await createApiWorld({ env: { BACKLOG_MAX_AGE: '2m', API_MAX_WAIT: '2s' } })
const bulk = 'mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { status } }'

afterEach(() => {
  Object.assign(world.load, { backlogMs: 0, waitingMs: 0 })
})

const codeOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] }
  return errors?.[0]?.extensions.code
}
const stored = async () => (await world.rows('select 1 from carillon.intents')).length

test('behind a backlog that is too old a send gets 503, is told when to come again, and leaves nothing', async () => {
  world.load.backlogMs = 121_000
  const before = await stored()
  for (const [query, variables] of [
    [sendMutation, { input: anInput() }],
    [bulk, { inputs: [anInput(), { ...anInput(), priority: 'CRITICAL' }] }],
  ] as const) {
    const response = await world.post(query, variables)
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '10')
    assert.equal(await codeOf(response), 'OVERLOADED')
  }
  assert.equal(await stored(), before)
})

test('what is CRITICAL is accepted all the same, and reading goes on', async () => {
  world.load.backlogMs = 121_000
  const response = await world.post(sendMutation, { input: { ...anInput(), priority: 'CRITICAL' } })
  assert.equal(response.status, 200)
  assert.equal((await world.post('{ __typename }')).status, 200)
})

test('where requests wait too long for their turn, further ones get 503 before they are read', async () => {
  world.load.waitingMs = 2_001
  await eventually(async () => {
    const response = await world.post('{ __typename }')
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    assert.equal(await codeOf(response), 'OVERLOADED')
  })
  world.load.waitingMs = 0
  await eventually(async () => assert.equal((await world.post('{ __typename }')).status, 200))
})
