import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Limit } from '../../../src/domain/limit.ts'
import { type Ask, allot, concerns, giveBack, type Subject } from '../../../src/domain/limits/allot.ts'
import type { Counts } from '../../../src/domain/limits/counts-text.ts'

const now = new Date('2026-03-10T12:00:30Z')

const limit = (id: string, fields: Partial<Limit> = {}): Limit => ({
  id,
  name: id,
  scope: 'user',
  max: 2,
  window: { seconds: 3_600 },
  allowCritical: false,
  ...fields,
})
const ask = (deliveryKey: string, fields: Partial<Ask> = {}): Ask => ({
  deliveryKey,
  recipientId: 'ann',
  channel: 'email',
  priority: 1,
  ...fields,
})
const asks = (count: number, fields: Partial<Ask> = {}) =>
  Array.from({ length: count }, (_, index) => ask(`${fields.recipientId ?? 'ann'}-${index}`, fields))

const empty = (...subjects: Subject[]) => new Map<Subject, Counts>(subjects.map((subject) => [subject, {}]))
const judge = (those: Ask[], limits: Limit[], counts = empty('', null, 'ann', 'bob')) => ({
  counts,
  ...allot(those, limits, counts, now),
})
const refusedKeys = ({ refused }: { refused: Map<string, unknown> }) => [...refused.keys()]

describe('a limit concerns', () => {
  const cases: [
    name: string,
    fields: Partial<Limit>,
    channel: Ask['channel'],
    category: string | undefined,
    does: boolean,
  ][] = [
    ['every channel, where it names none', {}, 'sms', undefined, true],
    ['its own channel', { channel: 'sms' }, 'sms', 'orders', true],
    ['no other channel', { channel: 'sms' }, 'email', undefined, false],
    ['its own category', { category: 'marketing' }, 'email', 'marketing', true],
    ['the categories below it', { category: 'marketing' }, 'email', 'marketing.news', true],
    ['no category that only begins alike', { category: 'marketing' }, 'email', 'marketing_news', false],
    ['nothing without a category, where it names one', { category: 'marketing' }, 'email', undefined, false],
    ['no inbox, where it names no channel', {}, 'in_app', undefined, false],
    ['the inbox, where it names it', { channel: 'in_app' }, 'in_app', undefined, true],
    ['no audit line', {}, 'audit', undefined, false],
  ]
  for (const [name, fields, channel, category, does] of cases) {
    test(name, () => assert.equal(concerns(limit('a', fields), channel, category), does))
  }
})

describe('allotting', () => {
  test('lets through in order, until one limit is full', () => {
    assert.deepEqual(refusedKeys(judge(asks(4), [limit('a'), limit('b', { max: 3 })])), ['ann-2', 'ann-3'])
  })

  test('counts nothing of what is refused, under none of its limits', () => {
    const limits = [limit('a', { channel: 'sms', max: 1 }), limit('all', { max: 3 })]
    const those = [...asks(3, { channel: 'sms' }), ask('mail-1'), ask('mail-2'), ask('mail-3')]
    const { counts, refused } = judge(those, limits)
    assert.deepEqual([...refused.keys()], ['ann-1', 'ann-2', 'mail-3'])
    assert.deepEqual(counts.get('ann')!.all!.counts, [3])
    assert.deepEqual(counts.get('ann')!.a!.counts, [1])
  })

  test('keeps the counts of people, tenants and the installation apart', () => {
    const limits = [limit('u'), limit('t', { scope: 'tenant', max: 3 }), limit('s', { scope: 'system', max: 9 })]
    const { counts, refused } = judge([...asks(2), ...asks(2, { recipientId: 'bob' })], limits)
    assert.deepEqual([...refused.keys()], ['bob-1'])
    const total = (subject: Subject, id: string) => counts.get(subject)![id]!.counts[0]
    assert.deepEqual([total('ann', 'u'), total('bob', 'u'), total('', 't'), total(null, 's')], [2, 1, 3, 3])
  })

  test('asks no limit of users for what goes to nobody', () => {
    const those = asks(3).map((one) => ({ ...one, recipientId: undefined }))
    assert.equal(judge(those, [limit('u')]).refused.size, 0)
  })

  test('serves the urgent first, and CRITICAL where the limit says so, though it is counted', () => {
    const those = [
      ask('low', { priority: 0 }),
      ask('high', { priority: 2 }),
      ask('critical', { priority: 3 }),
      ask('normal'),
    ]
    assert.deepEqual(refusedKeys(judge(those, [limit('a')])), ['normal', 'low'])
    const critical = asks(4, { priority: 3 })
    assert.equal(judge(critical, [limit('a')]).refused.size, 2)
    const { counts, refused } = judge(critical, [limit('a', { allowCritical: true })])
    assert.equal(refused.size, 0)
    assert.deepEqual(counts.get('ann')!.a!.counts, [4])
  })

  test('names the limit that holds longest, with what it holds and when there is room', () => {
    const limits = [
      limit('hour', { max: 1 }),
      limit('day', { max: 1, window: { seconds: 86_400 } }),
      limit('wide', { max: 9 }),
    ]
    const { refused } = judge(asks(2), limits)
    assert.deepEqual(refused.get('ann-1'), {
      limit: limits[1],
      onExcess: 'snooze',
      until: new Date('2026-03-11T12:24:00Z'),
      used: 1,
      max: 1,
    })
  })

  const excess: [
    name: string,
    ofLimit: Limit['onExcess'],
    ofCategory: Ask['onExcess'],
    comes: 'snooze' | 'suppress',
  ][] = [
    ['the limit, whatever the category says', 'suppress', 'snooze', 'suppress'],
    ['the limit, even if the category would drop it', 'snooze', 'suppress', 'snooze'],
    ['the category, where the limit says nothing', undefined, 'suppress', 'suppress'],
    ['nobody: it waits', undefined, undefined, 'snooze'],
  ]
  for (const [name, ofLimit, ofCategory, comes] of excess) {
    test(`what becomes of the excess is said by ${name}`, () => {
      const { refused } = judge(asks(3, { onExcess: ofCategory }), [limit('a', { onExcess: ofLimit })])
      const { onExcess, until } = refused.get('ann-2')!
      assert.deepEqual([onExcess, until !== undefined], [comes, comes === 'snooze'])
    })
  }

  test('suppresses where one of the limits that are full says so', () => {
    const limits = [limit('a', { max: 1 }), limit('b', { max: 1, onExcess: 'suppress' })]
    assert.equal(judge(asks(2), limits).refused.get('ann-1')!.limit.id, 'b')
  })

  test('changes no row for what is suppressed, and leaves the counts of limits alone that it does not know', () => {
    const other = { every: 60_000, span: 61, first: 29_000_000, counts: [7] }
    const full = { every: 60_000, span: 61, first: Math.floor(now.getTime() / 60_000), counts: [2] }
    const counts = new Map<Subject, Counts>([['ann', { other, a: full }]])
    const { refused, changed } = judge(asks(1, { onExcess: 'suppress' }), [limit('a')], counts)
    assert.deepEqual([refused.size, changed.size], [1, 0])
    assert.deepEqual(counts.get('ann')!.other, other)
  })

  test('warns of a quota of the tenant at 80 and at 100 %, once a period', () => {
    const quota = limit('q', { scope: 'tenant', max: 10, window: { calendar: 'day' } })
    const counts = empty('')
    const warned = (count: number, at = now) =>
      allot(asks(count), [quota], counts, at).warnings.map(({ percent, used }) => [percent, used])
    assert.deepEqual(warned(7), [])
    assert.deepEqual(warned(2), [[80, 8]])
    assert.deepEqual(warned(2), [[100, 10]])
    assert.deepEqual(warned(5), [])
    const tomorrow = new Date('2026-03-11T00:00:00Z')
    assert.deepEqual(warned(12, tomorrow), [
      [80, 8],
      [100, 10],
    ])
    const others = [limit('u', { window: { calendar: 'day' } }), limit('t', { scope: 'tenant' })]
    assert.deepEqual(judge(asks(5), others).warnings, [])
  })

  test('gives back what was let through, and no more', () => {
    const limits = [limit('u', { max: 5 }), limit('t', { scope: 'tenant', max: 5 })]
    const { counts } = judge(asks(4), limits)
    const { changed } = giveBack(asks(3), limits, counts, now)
    assert.deepEqual([...changed.keys()].toSorted(), ['', 'ann'])
    assert.deepEqual([counts.get('')!.t!.counts, counts.get('ann')!.u!.counts], [[1], [1]])
  })
})
