import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { testDatabase } from '../support/database.ts'
import { runCarillon } from './support/carillon-process.ts'

const database = await testDatabase()
const env = { DATABASE_URL: database.url }
const owner = database.pool()
/** Logins belong to the server, which other test files share. */
const suffix = database.name.slice(-8)
const shop = `shop_${suffix}`
const ana = `Ana "${suffix}"`
const tenants = { ours: '', theirs: '' }

/** Runs one statement as that login. */
async function as(login: string, text: string): Promise<pg.QueryResult> {
  const url = new URL(database.url)
  url.username = encodeURIComponent(login)
  url.password = 'bell'
  const session = new pg.Client({ connectionString: url.href })
  await session.connect()
  try {
    return await session.query(text)
  } finally {
    await session.end()
  }
}

const notify = `select carillon.notify(type => 'bell.rung', recipient => '{"email": "ann@example.com"}', body => 'ding') as id`

describe('carillon roles and keys', () => {
  before(async () => {
    await owner.query(`create role ${shop} login password 'bell'`)
    await owner.query(`create role ${pg.escapeIdentifier(ana)} login password 'bell'`)
    for (const name of ['ours', 'theirs'] as const) {
      const { code, out } = await runCarillon(['tenants', 'create', '--name', name, '--json'], env)
      assert.equal(code, 0)
      tenants[name] = JSON.parse(out).id
    }
  })

  after(async () => {
    for (const login of [shop, ana]) {
      await owner.query(`drop owned by ${pg.escapeIdentifier(login)}`)
      await owner.query(`drop role ${pg.escapeIdentifier(login)}`)
    }
  })

  test('a login that is bound as caller may call carillon.notify, and nothing else', async () => {
    await assert.rejects(as(shop, notify), { code: '42501' })
    const { code, out } = await runCarillon(
      ['roles', 'bind', '--login', shop, '--tenant', tenants.ours, '--as', 'caller'],
      env,
    )
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^${shop} is caller for tenant ${tenants.ours}`))
    const { rows } = await as(shop, notify)
    const { rows: stored } = await owner.query(
      'select tenant_id from carillon.intents where id = carillon.intent_id_of($1)',
      [rows[0].id],
    )
    assert.deepEqual(stored, [{ tenant_id: tenants.ours }])
    await assert.rejects(as(shop, 'select * from carillon.intents'), { code: '42501' })
    await assert.rejects(as(shop, notify.replace('body', `tenant => '${tenants.theirs}', body`)), { code: '42501' })
  })

  test('binding again changes nothing, and says so to machines', async () => {
    const { code, out } = await runCarillon(
      ['roles', 'bind', '--login', shop, '--tenant', tenants.ours, '--as', 'caller', '--json'],
      env,
    )
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(out), {
      login: shop,
      tenantId: tenants.ours,
      as: 'caller',
      role: 'carillon_caller',
      isNew: false,
      warnings: [],
    })
  })

  test('an analyst reads the reporting views of its tenant, whatever its name looks like, and no address', async () => {
    const { code, err } = await runCarillon(
      ['roles', 'bind', '--login', ana, '--tenant', tenants.theirs, '--as', 'analyst'],
      env,
    )
    assert.equal(code, 0, err)
    for (const view of ['notification_facts', 'delivery_facts', 'delivery_stats_daily', 'failure_reasons_daily']) {
      await as(ana, `select * from carillon.${view}`)
    }
    await assert.rejects(as(ana, 'select address from carillon.deliveries'), { code: '42501' })
    await assert.rejects(as(ana, notify), { code: '42501' })
  })

  test('an unknown login, an unknown tenant and a superuser are each told apart', async () => {
    const unknown = await runCarillon(
      ['roles', 'bind', '--login', 'nobody', '--tenant', tenants.ours, '--as', 'caller'],
      env,
    )
    assert.equal(unknown.code, 1)
    assert.match(unknown.err, /^carillon: there is no database login nobody/)
    const noTenant = '01900000-0000-7000-8000-0000000000ff'
    const lost = await runCarillon(['roles', 'bind', '--login', shop, '--tenant', noTenant, '--as', 'caller'], env)
    assert.equal(lost.code, 1)
    assert.match(lost.err, /^carillon: there is no tenant/)
    const { rows } = await owner.query('select session_user as name')
    const root = await runCarillon(
      ['roles', 'bind', '--login', rows[0].name, '--tenant', tenants.ours, '--as', 'caller'],
      env,
    )
    assert.equal(root.code, 0)
    assert.match(root.err, /superuser: row-level security does not hold it back/)
  })

  test('roles list shows the bindings, and unbinding the last one takes the role away', async () => {
    const listed = await runCarillon(['roles', 'list', '--json'], env)
    const bindings: { login: string; tenantId: string }[] = JSON.parse(listed.out)
    assert.ok(bindings.some(({ login, tenantId }) => login === shop && tenantId === tenants.ours))
    const { code, out } = await runCarillon(['roles', 'unbind', '--login', shop, '--tenant', tenants.ours], env)
    assert.equal(code, 0)
    assert.match(out, /has lost the roles/)
    await assert.rejects(as(shop, notify), { code: '42501' })
    const again = await runCarillon(['roles', 'unbind', '--login', shop, '--tenant', tenants.ours], env)
    assert.equal(again.code, 1)
  })

  test('a key is shown once, works in its scopes, and is listed without its secret until it is revoked', async () => {
    const made = await runCarillon(
      ['keys', 'create', '--tenant', tenants.ours, '--name', 'shop', '--scopes', 'send', '--json'],
      env,
    )
    const { id, key, scopes } = JSON.parse(made.out)
    assert.match(key, /^ck_[0-9a-f]{32}_[0-9a-f]{32}_/)
    assert.deepEqual(scopes, ['send'])
    const listed = await runCarillon(['keys', 'list', '--tenant', tenants.ours], env)
    assert.match(listed.out, new RegExp(`^${id} .* send +active +shop$`, 'm'))
    assert.doesNotMatch(listed.out, new RegExp(key.slice(-20)))
    const revoked = await runCarillon(['keys', 'revoke', '--tenant', tenants.ours, '--id', id], env)
    assert.equal(revoked.code, 0)
    assert.match((await runCarillon(['keys', 'list'], env)).out, new RegExp(`^${id} .* revoked `, 'm'))
  })

  test('a wrong scope is refused with the ones there are', async () => {
    const { code, err } = await runCarillon(
      ['keys', 'create', '--tenant', tenants.ours, '--name', 'x', '--scopes', 'ring'],
      env,
    )
    assert.equal(code, 1)
    assert.match(err, /among send, read, manage/)
  })
})
