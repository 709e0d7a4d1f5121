import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTenant } from '../../src/store/tenants.ts'
import { testDatabase } from '../support/database.ts'
import { runCarillon } from './support/carillon-process.ts'

const database = await testDatabase()
const env = { DATABASE_URL: database.url }
const tenant = '01a1fa45-0000-7000-8000-000000000001'
await createTenant(database.pool('carillon_worker'), { id: tenant, name: 'a tenant', now: new Date() })

test('the operator sets limits, changes them by name, lists and deletes them', async () => {
  const set = ['limits', 'set-system', 'all mail', '--scope', 'system', '--channel', 'email', '--window', '1h']
  const made = await runCarillon([...set, '--max', '10000', '--json'], env)
  assert.equal(made.code, 0, made.err)
  const changed = await runCarillon([...set, '--max', '20000', '--allow-critical', '--json'], env)
  const [first, second] = [JSON.parse(made.out), JSON.parse(changed.out)]
  assert.deepEqual([first.max, second.max, first.id === second.id], [10_000, 20_000, true])

  const quota = [
    '--scope',
    'tenant',
    '--calendar',
    'month',
    '--max',
    '100000',
    '--on-excess',
    'suppress',
    '--tenant',
    tenant,
  ]
  assert.equal((await runCarillon(['limits', 'set-system', 'contract', ...quota], env)).code, 0)
  const { out } = await runCarillon(['limits', 'list'], env)
  assert.match(out, /all mail +system +email +20000 per 3600 s +critical passes +operator/)
  assert.match(out, new RegExp(`contract +tenant +everything +100000 per month +suppress +operator \\(${tenant}\\)`))

  assert.equal((await runCarillon(['limits', 'delete-system', 'all mail'], env)).code, 0)
  assert.notEqual((await runCarillon(['limits', 'delete-system', 'all mail'], env)).code, 0)
  const { out: left } = await runCarillon(['limits', 'list', '--tenant', tenant, '--json'], env)
  assert.deepEqual(
    JSON.parse(left).map(({ name }: { name: string }) => name),
    ['contract'],
  )
})

test('what is wrong with a limit is told with its option', async () => {
  const cases: [args: string[], fault: RegExp][] = [
    [['--scope', 'planet', '--max', '1', '--window', '1h'], /--scope must be one of user, tenant, system/],
    [['--scope', 'user', '--max', 'many', '--window', '1h'], /--max must be a whole number/],
    [['--scope', 'user', '--max', '1'], /--window must be given, or else/],
    [['--scope', 'system', '--max', '1', '--window', '1h', '--tenant', tenant], /is of no tenant/],
    [
      ['--scope', 'user', '--max', '1', '--window', '1h', '--tenant', tenant.replace('1a1', '2b2')],
      /there is no tenant/,
    ],
  ]
  for (const [args, fault] of cases) {
    const { code, err } = await runCarillon(['limits', 'set-system', 'x', ...args], env)
    assert.notEqual(code, 0)
    assert.match(err, fault)
  }
})
