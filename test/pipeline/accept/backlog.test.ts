import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createBacklog } from '../../../src/pipeline/accept/backlog.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { eventually } from '../../support/eventually.ts'
import { createWorld, type World } from '../../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

const age = async () => {
  const backlog = createBacklog({ pool: world.api, logger: createLogger('silent') })
  assert.equal(backlog.ageMs(), 0)
  await eventually(() => assert.ok(backlog.ageMs() > 0))
  return backlog.ageMs()
}

test('the age is that of the oldest chunk that could be planned, and not of what was put there for later', async () => {
  const later = new Date(Date.now() + 3_600_000).toISOString()
  await world.accept([world.intent({}, { scheduledAt: later })])
  await world.admin.query(`update pgboss.job set created_on = created_on - interval '1 day'`)
  await world.accept([world.intent(), world.intent({}, { priority: 0 })])
  await world.admin.query(
    `update pgboss.job set created_on = created_on - interval '5 minutes', start_after = start_after - interval '5 minutes'
     where priority = 0`,
  )
  const found = await age()
  assert.ok(found > 299_000 && found < 400_000, `${found}`)
})
