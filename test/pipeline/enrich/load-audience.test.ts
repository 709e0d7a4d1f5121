import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadAudience, loadAudiences } from '../../../src/pipeline/enrich/load-audience.ts'
import { asTenants, openPool, statement } from '../../../src/platform/db.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const everybody = 20_000

// u00001 … u20000 are customers, every fourth is in a group, three are on call; the other tenant has a role of the same name.
await world.admin.query(
  `insert into carillon.recipients (tenant_id, external_id, roles, groups, created_at, updated_at)
   select $1::uuid, 'u' || lpad(n::text, 5, '0'),
     array['customer'] || case when n in (7, 8, 19000) then array['on-call'] else '{}' end,
     case when n % 4 = 0 then array['fourth'] else '{}' end, now(), now()
   from generate_series(1, $2::int) n`,
  [world.tenant, everybody],
)
await world.admin.query(
  `insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
   values ($1, 'stranger', '{on-call}', now(), now())`,
  [world.otherTenant],
)
await world.admin.query('vacuum analyze carillon.recipients, carillon.members')

const load = (selector: Parameters<typeof loadAudience>[2], after = '', limit = 1_000) =>
  loadAudience(world.worker, world.tenant, selector, after, limit)

describe('an audience', () => {
  it('is the union of users, roles and groups, each person once and in order', async () => {
    const ids = await load({ userIds: ['zoe', 'u00007', 'ann', 'ann'], roles: ['on-call', 'nobody'], groups: ['none'] })
    assert.deepEqual(ids, ['ann', 'u00007', 'u00008', 'u19000', 'zoe'])
  })

  it('comes in pages, and everybody is in one of them', async () => {
    const seen: string[] = []
    for (let after = ''; ; after = seen.at(-1)!) {
      const page = await load(
        { userIds: ['a', 'u10000', 'z'], roles: ['customer', 'on-call'], groups: ['fourth'] },
        after,
      )
      seen.push(...page)
      if (page.length < 1_000) break
    }
    assert.equal(seen.length, everybody + 2)
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual([seen[0], seen[1], seen.at(-1)], ['a', 'u00001', 'z'])
  })

  it('of nobody is empty', async () => {
    assert.deepEqual(await load({}), [])
    assert.deepEqual(await load({ roles: ['nobody'] }), [])
    assert.deepEqual(await loadAudiences(world.worker, world.tenant, []), [])
  })

  it('has no member of another tenant, for the API as little as for a worker', async () => {
    assert.deepEqual(await loadAudience(world.worker, world.otherTenant, { roles: ['on-call'] }, '', 10), ['stranger'])
    await asTenants(world.api, [world.tenant], async (trx) => {
      assert.deepEqual(await loadAudience(trx, world.otherTenant, { roles: ['on-call'] }, '', 10), [])
      assert.equal((await loadAudience(trx, world.tenant, { roles: ['on-call'] }, '', 10)).length, 3)
    })
  })

  it('is loaded with others in one statement, each with its own page', async () => {
    const pages = await loadAudiences(world.worker, world.tenant, [
      { roles: ['on-call'], after: 'u00007', limit: 1 },
      { roles: ['nobody'], limit: 5 },
      { groups: ['fourth'], userIds: ['u00005'], limit: 3 },
    ])
    assert.deepEqual(pages, [['u00008'], [], ['u00004', 'u00005', 'u00008']])
  })

  it('takes hostile names as names', async () => {
    for (const name of [`'; drop table x --`, '{a,b}', 'null', '\\', '"'])
      assert.deepEqual(await load({ roles: [name], userIds: [name] }), [name])
  })

  const pools = { 'a pool of the API': false, 'a pool of the flow, which avoids nested loops': true }
  for (const [name, flow] of Object.entries(pools)) {
    it(`reads at most a page of each set from the index, on ${name}`, async () => {
      const pool = openPool({
        databaseUrl: world.url,
        role: 'carillon_worker',
        max: 1,
        flow,
        applicationName: 'test',
        onError: () => {},
      })
      const asked = [
        {
          users: ['x'],
          sets: [
            { kind: 'role', name: 'customer' },
            { kind: 'role', name: 'on-call' },
            { kind: 'group', name: 'fourth' },
          ],
          after: 'u10000',
          limit: 100,
        },
      ]
      const { rows } = await pool.query({
        text: `explain (analyze, format json) ${statement('enrich/load_audience').text}`,
        values: [world.tenant, JSON.stringify(asked)],
      })
      await pool.end()
      const read: number[] = []
      const walk = (node: Record<string, unknown>): void => {
        if (/^members/.test(String(node['Relation Name'] ?? '')) && Number(node['Actual Loops']) > 0) {
          assert.match(String(node['Index Name']), /members_h\d_pkey/)
          assert.equal(node['Rows Removed by Filter'] ?? 0, 0)
          read.push(Number(node['Actual Rows']) * Number(node['Actual Loops']))
        }
        for (const child of (node.Plans as Record<string, unknown>[]) ?? []) walk(child)
      }
      walk(rows[0]['QUERY PLAN'][0].Plan)
      assert.equal(read.length, 1)
      assert.ok(read[0]! <= 202, String(read))
    })
  }
})

describe('members', () => {
  const members = (id: string) =>
    world.rows<{ kind: string; name: string }>(
      'select kind, name from carillon.members where tenant_id = $1 and recipient_id = $2 order by kind desc, name',
      [world.tenant, id],
    )
  const write = (text: string) => world.admin.query(text, [world.tenant])

  it('follow the roles and groups of recipients, however those are written', async () => {
    await write(`insert into carillon.recipients (tenant_id, external_id, roles, groups, created_at, updated_at)
      values ($1, 'mia', '{a,b,b,NULL}', '{a}', now(), now())`)
    assert.deepEqual(
      (await members('mia')).map(({ kind, name }) => `${kind} ${name}`),
      ['role a', 'role b', 'group a'],
    )
    await write(
      `update carillon.recipients set roles = '{b,c}', groups = '{}' where tenant_id = $1 and external_id = 'mia'`,
    )
    assert.deepEqual(
      (await members('mia')).map(({ name }) => name),
      ['b', 'c'],
    )
    await write(`insert into carillon.recipients as r (tenant_id, external_id, roles, created_at, updated_at)
      values ($1, 'mia', '{d}', now(), now()), ($1, 'noa', '{e}', now(), now())
      on conflict (tenant_id, external_id) do update set roles = excluded.roles`)
    assert.deepEqual(await members('mia'), [{ kind: 'role', name: 'd' }])
    assert.deepEqual(await members('noa'), [{ kind: 'role', name: 'e' }])
    await write(`update carillon.recipients set external_id = 'lea' where tenant_id = $1 and external_id = 'noa'`)
    assert.deepEqual([await members('noa'), (await members('lea')).length], [[], 1])
    await write(`delete from carillon.recipients where tenant_id = $1 and external_id in ('mia', 'lea')`)
    assert.deepEqual([await members('mia'), await members('lea')], [[], []])
  })

  it('are gone when the recipients are truncated', async () => {
    const client = await world.admin.connect()
    await client.query('begin')
    await client.query('truncate carillon.recipients')
    const { rows } = await client.query('select from carillon.members')
    await client.query('rollback')
    client.release()
    assert.equal(rows.length, 0)
  })

  it('are those of the last writer where two write at once', async () => {
    await write(`insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
      values ($1, 'kim', '{a}', now(), now())`)
    await Promise.all(
      Array.from({ length: 20 }, (_one, index) =>
        world.admin.query(
          `update carillon.recipients set roles = array['r' || $2::int] where tenant_id = $1 and external_id = 'kim'`,
          [world.tenant, index],
        ),
      ),
    )
    const [kim] = await world.rows(`select roles from carillon.recipients where external_id = 'kim'`)
    assert.deepEqual(
      (await members('kim')).map(({ name }) => name),
      kim!.roles,
    )
  })
})
