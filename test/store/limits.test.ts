import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asTenants } from '../../src/platform/db.ts'
import { createLimit, findCounts, listLimits, setSystemLimit } from '../../src/store/limits.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const now = world.clock.now()
const limit = { name: 'mine', scope: 'user', max: 3, window: { seconds: 60 }, allowCritical: false } as const

for (const tenant of [world.tenant, world.otherTenant]) {
  await createLimit(world.worker, tenant, world.ids.id(), limit, 100, now)
  await setSystemLimit(world.worker, world.ids.id(), { ...limit, name: `of ${tenant}` }, tenant, now)
}
await setSystemLimit(world.worker, world.ids.id(), { ...limit, name: 'of all', scope: 'system' }, undefined, now)
await world.admin.query(`insert into carillon.limit_counters select unnest($1::uuid[]), '', '-', now()`, [
  [world.tenant, world.otherTenant, '00000000-0000-0000-0000-000000000000'],
])

test('a tenant sees its own limits and counts, and of the operator’s those that concern it', async () => {
  await asTenants(world.api, [world.tenant], async (trx) => {
    for (const table of ['limits', 'limit_counters']) {
      const { rows } = await trx.query(`select distinct tenant_id from carillon.${table}`)
      assert.deepEqual(rows, [{ tenant_id: world.tenant }], table)
    }
    const { rows } = await trx.query('select tenant_id from carillon.system_limits order by tenant_id')
    assert.deepEqual(rows, [{ tenant_id: world.tenant }, { tenant_id: null }])
    assert.deepEqual(
      (await listLimits(trx, world.tenant)).map(({ name, is_operators }) => [name, is_operators]),
      [
        ['mine', false],
        [`of ${world.tenant}`, true],
        ['of all', true],
      ],
    )
    assert.equal((await findCounts(trx, world.otherTenant, [''])).size, 0)
  })
})

test('without a tenant the API sees none', async () => {
  for (const table of ['limits', 'limit_counters']) {
    assert.deepEqual((await world.api.query(`select from carillon.${table}`)).rowCount, 0)
  }
})

for (const [what, text] of [
  ['change a limit of the operator', `update carillon.system_limits set max = 1000`],
  ['make one', `insert into carillon.system_limits (id) select gen_random_uuid()`],
  ['delete one', 'delete from carillon.system_limits'],
  ['change what was counted', `update carillon.limit_counters set counts = '-'`],
  ['forget what was counted', 'delete from carillon.limit_counters'],
] as const) {
  test(`the API cannot ${what}`, async () => {
    await assert.rejects(
      asTenants(world.api, [world.tenant], (trx) => trx.query(text)),
      /permission denied/,
    )
  })
}

test('nor can it make a limit of another tenant', async () => {
  await assert.rejects(
    asTenants(world.api, [world.tenant], (trx) =>
      createLimit(trx, world.otherTenant, world.ids.id(), { ...limit, name: 'theirs' }, 100, now),
    ),
    /row-level security/,
  )
})
