import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inTransaction, openPool, statement } from '../../../src/platform/db.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
await world.admin.query(
  `insert into carillon.limit_counters (tenant_id, subject, counts, idle_at) select $1, 'u-' || n, '-', now() from generate_series(1, 50000) n`,
  [world.tenant],
)
await world.admin.query('analyze carillon.limit_counters')

const subjects = Array.from({ length: 500 }, (_, index) => `u-${index * 90 + 1}`)

describe('on the connections of the flow, the plan of', () => {
  const cases: [path: string, values: unknown[]][] = [
    ['permit/lock_limit_counters', [world.tenant, subjects, true]],
    [
      'permit/write_limit_counters',
      [
        world.tenant,
        subjects,
        subjects,
        subjects.map(() => world.clock.now()),
        [],
        [],
        [],
        [],
        '-',
        world.clock.now(),
        null,
        null,
      ],
    ],
  ]
  for (const [path, values] of cases) {
    it(`sql/${path}.sql uses the index it names, in the tenant's partition`, async () => {
      const pool = openPool({
        databaseUrl: world.url,
        role: 'carillon_worker',
        flow: true,
        max: 1,
        applicationName: 'plans',
        onError: () => {},
      })
      const { text } = statement(path)
      const plan = await inTransaction(pool, async (trx) => {
        const { rows } = await trx.query({ text: `explain (analyze, costs off, timing off) ${text}`, values })
        return rows.map((row) => row['QUERY PLAN']).join('\n')
      })
      await pool.end()
      const used = /Index Scan (?:Backward )?(?:using|on) (limit_counters_h\d)_pkey/.exec(plan)
      assert.ok(used, plan.slice(0, 500))
      assert.ok(!plan.includes(`Seq Scan on ${used[1]}`))
    })
  }
})
