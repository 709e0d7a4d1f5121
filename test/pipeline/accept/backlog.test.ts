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

test('it counts what was asked in SQL and is in no chunk yet, unless it is for later', async () => {
  await world.admin.query('delete from pgboss.job')
  const now = world.clock.now()
  const later = new Date(now.getTime() + 3_600_000)
  const idAt = (minutesAgo: number) =>
    world.rows(`select carillon.new_intent_id($1::timestamptz) as id`, [new Date(now.getTime() - minutesAgo * 60_000)])
  for (const [minutesAgo, startAfter] of [
    [60, later],
    [4, null],
    [2, null],
  ] as const) {
    const [row] = await idAt(minutesAgo)
    await world.admin.query(
      `insert into carillon.asked (tenant_id, id, priority, start_after) values ($1, $2, 1, $3)`,
      [world.tenant, row!.id, startAfter],
    )
  }
  const found = await age()
  assert.ok(found > 239_000 && found < 340_000, `${found}`)
})
