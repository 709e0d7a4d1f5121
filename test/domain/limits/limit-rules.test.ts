import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Counts } from '../../../src/domain/limits/counts-text.ts'
import { judgeLimit } from '../../../src/domain/limits/limit-rules.ts'
import { usageOf } from '../../../src/domain/limits/usage.ts'

const good = { name: 'SMS a person', scope: 'user', max: 10, windowSeconds: 3_600 }

test('a limit is taken in the words of the API or of SQL, and null is absent', () => {
  assert.deepEqual(
    judgeLimit({ ...good, scope: 'USER', channel: 'SMS', category: null, calendar: null, onExcess: 'SUPPRESS' }),
    {
      limit: {
        name: 'SMS a person',
        scope: 'user',
        channel: 'sms',
        max: 10,
        window: { seconds: 3_600 },
        onExcess: 'suppress',
        allowCritical: false,
      },
    },
  )
  const { limit } = judgeLimit({
    name: 'a month',
    scope: 'tenant',
    max: 1,
    calendar: 'month',
    category: 'news',
    allowCritical: true,
  })
  assert.deepEqual(limit, {
    name: 'a month',
    scope: 'tenant',
    category: 'news',
    max: 1,
    window: { calendar: 'month' },
    allowCritical: true,
  })
})

test('only an operator limits the installation', () => {
  assert.deepEqual(judgeLimit({ ...good, scope: 'system' }).faults, [
    { path: ['scope'], message: 'must be one of user, tenant' },
  ])
  assert.equal(judgeLimit({ ...good, scope: 'system' }, 'operator').limit!.scope, 'system')
})

describe('what is wrong with a limit is told with its field', () => {
  const cases: [name: string, fields: object, path: string][] = [
    ['no name', { name: ' ' }, 'name'],
    ['a name of two lines', { name: 'a\nb' }, 'name'],
    ['a long name', { name: 'x'.repeat(101) }, 'name'],
    ['an unknown scope', { scope: 'planet' }, 'scope'],
    ['an unknown channel', { channel: 'fax' }, 'channel'],
    ['a max of nothing', { max: 0 }, 'max'],
    ['a max that is no whole number', { max: 1.5 }, 'max'],
    ['a max that is no number', { max: '10' }, 'max'],
    ['too great a max', { max: 1_000_000_001 }, 'max'],
    ['a negative window', { windowSeconds: -1 }, 'windowSeconds'],
    ['a window of years', { windowSeconds: 367 * 86_400 }, 'windowSeconds'],
    ['a window and a calendar', { calendar: 'day' }, 'calendar'],
    ['neither', { windowSeconds: null }, 'windowSeconds'],
    ['an unknown calendar', { windowSeconds: null, calendar: 'week' }, 'calendar'],
    ['an unknown excess', { onExcess: 'burn' }, 'onExcess'],
  ]
  for (const [name, fields, path] of cases) {
    test(name, () => {
      const { faults } = judgeLimit({ ...good, ...fields })
      assert.deepEqual(
        faults?.map((one) => one.path.join('.')),
        [path],
      )
      assert.ok(faults[0]!.message.length > 5)
    })
  }
  test('a field that there is not', () => assert.ok(judgeLimit({ ...good, maxx: 1 }).faults))
  for (const what of [null, 5, 'x', []]) test(`${JSON.stringify(what)}`, () => assert.ok(judgeLimit(what).faults))
})

test('usage says what is used, since when it is counted, and when some of it is free again', () => {
  const limit: Limit = {
    id: 'a',
    name: 'a',
    scope: 'tenant',
    max: 10,
    window: { calendar: 'day' },
    allowCritical: true,
  }
  const now = new Date('2026-03-10T12:00:30Z')
  const counts: Counts = { a: { every: 'day', span: 1, first: (now.getTime() / 86_400_000) | 0, counts: [12] } }
  assert.deepEqual(usageOf(limit, counts, now), {
    used: 12,
    remaining: 0,
    since: new Date('2026-03-10T00:00:00Z'),
    freesAt: new Date('2026-03-11T00:00:00Z'),
  })
  assert.deepEqual(usageOf({ ...limit, window: { seconds: 3_600 } }, undefined, now), {
    used: 0,
    remaining: 10,
    since: new Date('2026-03-10T11:00:00Z'),
    freesAt: undefined,
  })
})
