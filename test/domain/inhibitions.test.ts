import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scopeOf } from '../../src/domain/expressions/scope.ts'
import { compileInhibitions, type Inhibition, isOpenAt, readAlerts } from '../../src/domain/inhibitions.ts'

const now = new Date('2026-11-20T10:00:00Z')

/** `o2` opens with the second event, `c3` closes with the third. */
const marks = (text: string) =>
  text.split(' ').flatMap((one) => (one ? [{ id: one.slice(1), opens: one[0] === 'o' }] : []))

describe('whether an alert was open when an event was accepted', () => {
  const cases: [name: string, known: string, at: string, open: boolean][] = [
    ['of which nothing is known', '', '5', false],
    ['that was opened before', 'o2', '5', true],
    ['that was opened after', 'o7', '5', false],
    ['that was opened and closed', 'o2 c4', '5', false],
    ['that was closed after', 'o2 c7', '5', true],
    ['that was opened again', 'o2 c3 o4', '5', true],
    ['that was opened again after', 'o2 c3 o7', '5', false],
    ['that was told of in another order', 'c3 o4 o2', '5', true],
    ['of which only the end is known', 'c7', '5', false],
    ['whose first time is known by its end alone', 'c7 o9', '5', true],
    ['that the event itself closes', 'o2 c5', '5', false],
  ]
  for (const [name, known, id, open] of cases) {
    it(`${name}: ${open ? 'yes' : 'no'}`, () => assert.equal(isOpenAt(marks(known), id), open))
  }
})

describe('what events say of alerts', () => {
  const anInhibition = (fields: Partial<Inhibition> = {}): Inhibition => ({
    id: 'i-1',
    name: 'hosts',
    source: 'event.type == "host.down"',
    target: 'event.type.startsWith("service.") || event.type == "host.down"',
    equal: ['event.data.host'],
    ...fields,
  })
  const read = (type: string, data: Record<string, unknown>, fields?: Partial<Inhibition>) => {
    const scope = scopeOf({ event: { id: 'e', type, acceptedAt: now, priority: 1, data }, now })
    const { said, asked } = readAlerts(compileInhibitions([anInhibition(fields)]), [{ id: 'e', scope }])
    return [
      ...said.map(({ opens, key, alert }) => `${opens ? 'opens' : 'closes'} ${key}${alert}`),
      ...asked.map(({ key }) => `asks ${key}`),
    ].join(', ')
  }

  it('what is of both kinds opens an alert, and is not held back itself', () => {
    assert.equal(read('host.down', { host: 'a' }), 'opens ["a"]')
  })

  it('a target asks by its keys, and what it does not have is null', () => {
    assert.equal(read('service.slow', { host: 'a' }), 'asks ["a"]')
    assert.equal(read('service.slow', {}), 'asks [null]')
  })

  it('what is of neither kind says nothing', () => {
    assert.equal(read('order.shipped', { host: 'a' }), '')
  })

  it('a source with the status "resolved" closes, and a target with it does not', () => {
    assert.equal(read('host.down', { host: 'a', status: 'resolved' }), 'closes ["a"]')
    assert.equal(read('service.slow', { host: 'a', status: 'resolved' }), 'asks ["a"]')
  })

  it('with words of its own an event of another type closes', () => {
    const fields = { resolved: 'event.type == "host.up"' }
    assert.equal(read('host.up', { host: 'a' }, fields), 'closes ["a"]')
    assert.equal(read('host.down', { host: 'a', status: 'resolved' }, fields), 'opens ["a"]')
  })

  it('keys keep values apart that look alike', () => {
    const fields = { equal: ['event.data.a', 'event.data.b'] }
    const keys = [
      { a: '1', b: '' },
      { a: 1, b: '' },
      { a: '', b: '1' },
      { a: '1,', b: '' },
      { a: null, b: 'null' },
    ].map((data) => read('service.slow', data, fields))
    assert.equal(new Set(keys).size, keys.length, keys.join())
  })

  it('a key is never too long for an index', () => {
    const [one, other] = ['a', 'b'].map((last) => read('service.slow', { host: 'x'.repeat(10_000) + last }))
    assert.ok(one!.length < 100)
    assert.notEqual(one, other)
  })
})
