import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type pg from 'pg'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Ask } from '../../../src/domain/limits/allot.ts'
import { expireLimitCounts } from '../../../src/maintenance/limit-counts.ts'
import { releaseLimits, reserveLimits } from '../../../src/pipeline/permit/reserve-limits.ts'
import { openPool } from '../../../src/platform/db.ts'
import { findCounts } from '../../../src/store/limits.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
/** Today, for which there are partitions of the log. */
const now = new Date(new Date().setUTCHours(12, 0, 30, 0))
const at = (time: string) => new Date(`${now.toISOString().slice(0, 10)}T${time}Z`)

const limitOf = (fields: Partial<Limit> = {}): Limit => ({
  id: world.ids.id(),
  name: 'a limit',
  scope: 'user',
  max: 3,
  window: { seconds: 3_600 },
  allowCritical: false,
  ...fields,
})

let asked = 0
const asksOf = (count: number, fields: Partial<Ask> = {}): Ask[] =>
  Array.from({ length: count }, () => ({
    deliveryKey: String(asked++),
    recipientId: 'ann',
    channel: 'email',
    priority: 1,
    ...fields,
  }))

const reserve = (limits: Limit[], asks: Ask[], when = now, tenant = world.tenant) =>
  reserveLimits(world.worker, tenant, limits, asks, when)

/** What stands in the database under a limit. */
async function usedOf(limit: Limit, subject = '', tenant = world.tenant): Promise<number> {
  const counts = (await findCounts(world.admin, tenant, [subject])).get(subject)
  return counts?.[limit.id]?.counts.reduce((sum, count) => sum + count, 0) ?? 0
}

const systemTenant = '00000000-0000-0000-0000-000000000000'

test('what a limit has room for is let through, and the rest told when there is room', async () => {
  const limit = limitOf()
  const refused = await reserve([limit], asksOf(5))
  assert.equal(refused.size, 2)
  for (const refusal of refused.values()) {
    assert.deepEqual(refusal, {
      limit,
      onExcess: 'snooze',
      until: at('13:01:00'),
      used: 3,
      max: 3,
    })
  }
  assert.equal((await reserve([limit], asksOf(1), at('13:00:59'))).size, 1)
  assert.equal((await reserve([limit], asksOf(4), at('13:01:00'))).size, 1)
})

test('limits of users, tenants and the installation are counted where they belong', async () => {
  const limits = [limitOf({ max: 2 }), limitOf({ scope: 'tenant', max: 5 }), limitOf({ scope: 'system', max: 6 })]
  assert.equal((await reserve(limits, asksOf(3))).size, 1)
  assert.equal((await reserve(limits, asksOf(3, { recipientId: 'bob' }))).size, 1)
  assert.equal((await reserve(limits, asksOf(3, { recipientId: undefined }))).size, 2)
  assert.equal((await reserve(limits, asksOf(3), now, world.otherTenant)).size, 2)
  assert.equal(await usedOf(limits[2]!, '', systemTenant), 6)
})

test('ids that Postgres would read as something else are ids like any other', async () => {
  const limit = limitOf({ max: 1 })
  for (const recipientId of ['NULL', 'a,b', '{}', '"', 'a\\b', "it's", ' ', '🔔']) {
    assert.equal((await reserve([limit], asksOf(2, { recipientId }))).size, 1, recipientId)
    assert.equal((await reserve([limit], asksOf(1, { recipientId }))).size, 1, recipientId)
    assert.equal(await usedOf(limit, recipientId), 1)
  }
})

test('what was given back can be had again', async () => {
  const limit = limitOf({ scope: 'tenant' })
  const asks = asksOf(3)
  assert.equal((await reserve([limit], asks)).size, 0)
  await releaseLimits(world.worker, world.tenant, [limit], asks.slice(1), now)
  assert.equal((await reserve([limit], asksOf(3))).size, 1)
  const mine = limitOf()
  const first = asksOf(2, { recipientId: 'carl' })
  await reserve([mine], first)
  await releaseLimits(world.worker, world.tenant, [mine], first, now)
  assert.equal(await usedOf(mine, 'carl'), 0)
})

/** A pool whose only connection counts its statements, and dies before the one that is named. */
function watched(diesBefore?: number) {
  const texts: string[] = []
  const pool = {
    connect: async () => {
      const client = await world.worker.connect()
      return {
        query: (statement: string | { name: string }) => {
          texts.push(typeof statement === 'string' ? statement : statement.name)
          if (texts.length === diesBefore) throw new Error('the connection died')
          return client.query(statement as pg.QueryConfig)
        },
        release: () => client.release(),
      }
    },
  }
  return { pool: pool as unknown as pg.Pool, texts }
}

describe('a chunk', () => {
  test('costs two statements and a transaction whatever its size, and nothing where no limit concerns it', async () => {
    for (const count of [1, 1_000]) {
      const { pool, texts } = watched()
      const limits = [limitOf({ max: 100_000 }), limitOf({ scope: 'tenant', max: 100_000 })]
      const asks = asksOf(count).map((ask, index) => ({ ...ask, recipientId: `u-${count}-${index}` }))
      await reserveLimits(pool, world.tenant, limits, asks, now)
      assert.deepEqual(texts, ['begin', 'permit/lock_limit_counters', 'permit/write_limit_counters', 'commit'])
    }
    const { pool, texts } = watched()
    await reserveLimits(pool, world.tenant, [limitOf({ channel: 'sms' })], asksOf(5), now)
    await reserveLimits(pool, world.tenant, [], asksOf(5), now)
    assert.deepEqual(texts, [])
  })

  test('that dies before any of its statements has counted nothing', async () => {
    const limit = limitOf({ scope: 'tenant', max: 10 })
    for (let statement = 1; statement <= 4; statement++) {
      const { pool } = watched(statement)
      await assert.rejects(reserveLimits(pool, world.tenant, [limit], asksOf(5), now), /died/)
      assert.equal(await usedOf(limit), 0)
    }
    assert.equal((await reserve([limit], asksOf(12))).size, 2)
  })
})

describe('a storm', () => {
  const connections = 8
  const pools = Array.from({ length: connections }, () =>
    openPool({
      databaseUrl: world.url,
      role: 'carillon_worker',
      flow: true,
      max: 1,
      applicationName: 'storm',
      onError: () => {},
    }),
  )
  const endPools = () => Promise.all(pools.map((pool) => pool.end()))

  /** Every connection asks, chunk after chunk, over the same people; gives what was let through. */
  async function storm(limits: Limit[], chunks: number, people: number, tenants = [world.tenant]): Promise<Ask[]> {
    const passed: Ask[] = []
    await Promise.all(
      pools.map(async (pool, place) => {
        for (let chunk = 0; chunk < chunks; chunk++) {
          // Each in another order: locks are taken in theirs.
          const asks = asksOf(people).map((ask, index) => ({
            ...ask,
            recipientId: `p${(index * (place + 1) + chunk) % people}`,
          }))
          const refused = await reserveLimits(pool, tenants[place % tenants.length]!, limits, asks, now)
          passed.push(...asks.filter(({ deliveryKey }) => !refused.has(deliveryKey)))
        }
      }),
    )
    return passed
  }

  test('over the same people lets through what each of them may get, and not one more', async () => {
    const limit = limitOf({ max: 37 })
    const wide = limitOf({ max: 1_000_000 })
    const passed = await storm([limit, wide], 12, 30)
    const by = Map.groupBy(passed, ({ recipientId }) => recipientId!)
    for (const [person, those] of by) {
      assert.equal(those.length, 37, person)
      assert.equal(await usedOf(limit, person), 37)
      assert.equal(await usedOf(wide, person), 37)
    }
    assert.equal(by.size, 30)
  })

  test('over a tenant lets through what it may send, and not one more, and tells of it once', async () => {
    const quota = limitOf({ scope: 'tenant', max: 1_234, window: { calendar: 'day' } })
    const passed = await storm([quota, limitOf({ max: 1_000_000 })], 10, 25)
    assert.equal(passed.length, 1_234)
    assert.equal(await usedOf(quota), 1_234)
    const told = await world.rows<{ type: string; data: { reason: string; attributes: object } }>(
      `select type, data from carillon.status_events where subject_id = $1 order by data ->> 'reason'`,
      [quota.id],
    )
    assert.deepEqual(
      told.map(({ type, data }) => [type, data.reason]),
      [
        ['carillon.quota.reached', 'nearly_used_up'],
        ['carillon.quota.reached', 'used_up'],
      ],
    )
    assert.deepEqual(told[0]!.data.attributes, { limit: 'a limit', percent: 80, used: 988, max: 1_234, period: 'day' })
  })

  test('of several tenants lets through what the installation may send, and not one more', async () => {
    const limits = [
      limitOf({ scope: 'system', max: 1_001 }),
      limitOf({ scope: 'tenant', max: 800 }),
      limitOf({ max: 50 }),
    ]
    const passed = await storm(limits, 10, 20, [world.tenant, world.otherTenant])
    assert.equal(passed.length, 1_001)
    assert.equal(await usedOf(limits[0]!, '', systemTenant), 1_001)
  })

  test('while old counts are dropped, and what is not sent given back, stays exact', async () => {
    const limit = limitOf({ scope: 'tenant', max: 500 })
    const old = limitOf({ max: 1_000_000, window: { seconds: 1 } })
    let given = 0
    const working = storm([limit, old], 8, 20)
    const meanwhile = (async () => {
      for (let round = 0; round < 5; round++) {
        await expireLimitCounts(world.worker, new Date(now.getTime() + 5_000))
        const asks = asksOf(10, { recipientId: 'given-back' })
        const refused = await reserveLimits(world.worker, world.tenant, [limit], asks, now)
        const passed = asks.filter(({ deliveryKey }) => !refused.has(deliveryKey))
        await releaseLimits(world.worker, world.tenant, [limit], passed, now)
        given += passed.length
      }
    })()
    const [passed] = await Promise.all([working, meanwhile])
    // Those of user limits are dropped as if time had passed; the tenant's hour is exact all the same.
    assert.equal(await usedOf(limit), passed.length)
    assert.ok(passed.length <= 500 && passed.length + given >= 500, `${passed.length} and ${given}`)
    await endPools()
  })
})
