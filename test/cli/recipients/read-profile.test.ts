import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judgeColumns, readProfile } from '../../../src/cli/recipients/read-profile.ts'

const read = (said: Record<string, unknown>, ignored: string[] = []) => {
  const answer = readProfile(said, new Set(ignored))
  // Absent and undefined are the same to whoever writes it.
  return JSON.parse(JSON.stringify('profile' in answer ? answer.profile : answer.refused))
}

describe('a line of a CSV file', () => {
  it('says what its columns say, and nothing of others', () => {
    assert.deepEqual(read({ id: 'a', name: 'Ann', timezone: 'Europe/Berlin' }), {
      externalId: 'a',
      name: 'Ann',
      timezone: 'Europe/Berlin',
    })
  })

  it('clears what is empty', () => {
    assert.deepEqual(read({ id: 'a', name: '', roles: '', attributes: '', email: '', enabled: '' }), {
      externalId: 'a',
      name: null,
      roles: [],
      attributes: {},
      contactPoints: [],
      contactChannels: ['email'],
    })
  })

  it('has lists, booleans, attributes and channels in its cells', () => {
    const said = {
      external_id: 'a',
      roles: 'ops; dev|ops',
      enabled: 'No',
      attributes: '{"a":1}',
      'attributes.tier': 'gold',
      email: 'a@b.c;d@e.f',
      phone: '+1',
      webhook: 'https://x.y/?a;b',
    }
    assert.deepEqual(read(said), {
      externalId: 'a',
      roles: ['ops', 'dev'],
      enabled: false,
      attributes: { a: 1, tier: 'gold' },
      contactPoints: [
        { channel: 'email', address: 'a@b.c' },
        { channel: 'email', address: 'd@e.f' },
        { channel: 'sms', address: '+1' },
        { channel: 'voice', address: '+1' },
        { channel: 'webhook', address: 'https://x.y/?a;b' },
      ],
      contactChannels: ['email', 'sms', 'voice', 'webhook'],
    })
  })
})

describe('a line of an NDJSON file', () => {
  it('is written as in the API, or as in SQL', () => {
    const expected = {
      externalId: 'a',
      roles: ['a;b'],
      contactPoints: [
        { channel: 'push', address: 't', deviceId: 'd', verified: true },
        { channel: 'email', address: 'a@b.c' },
      ],
    }
    const point = { address: 't', verified: true }
    const email = { channel: 'email', address: 'a@b.c' }
    assert.deepEqual(
      read({ id: 'a', roles: ['a;b'], contactPoints: [{ channel: 'PUSH', deviceId: 'd', ...point }, email] }),
      expected,
    )
    assert.deepEqual(
      read({
        external_id: 'a',
        roles: ['a;b'],
        contact_points: [{ channel: 'push', device_id: 'd', ...point }, email],
      }),
      expected,
    )
  })

  it('may name its contact points by channel, and then speaks of all', () => {
    assert.deepEqual(read({ id: 7, contactPoints: { email: 'a@b.c', phone: ['+1'] } }), {
      externalId: '7',
      contactPoints: [
        { channel: 'email', address: 'a@b.c' },
        { channel: 'sms', address: '+1' },
        { channel: 'voice', address: '+1' },
      ],
    })
    assert.deepEqual(read({ id: 'a', email: null }), { externalId: 'a', contactPoints: [], contactChannels: ['email'] })
  })
})

describe('what is refused names the field', () => {
  const cases: [what: string, said: Record<string, unknown>, fields: string[]][] = [
    ['no id', { name: 'x' }, ['id']],
    ['an empty id', { id: '' }, ['id']],
    ['a zone that is none', { id: 'a', timezone: 'Mars/Base' }, ['timezone']],
    ['a broken address', { id: 'a', email: 'a@b.c;nonsense' }, ['email']],
    ['a broken address in a list of points', { id: 'a', contact_points: { email: 'nonsense' } }, ['contact_points']],
    ['an unknown channel', { id: 'a', contactPoints: { pigeon: 'x' } }, ['contactPoints']],
    ['an unknown field', { id: 'a', extra: 1 }, ['extra']],
    [
      'several faults',
      { id: 'a', locale: 'x y', enabled: 'maybe', attributes: '[1]' },
      ['attributes', 'locale', 'enabled'],
    ],
    [
      'a field of another kind',
      { id: 'a', name: 1, roles: [1], contactPoints: [1] },
      ['name', 'roles', 'contactPoints'],
    ],
    ['text that was not UTF-8', { id: 'a', name: 'M\ufffdller' }, ['name']],
    ['a character that cannot be stored', { id: 'a', name: 'x\u0000' }, ['name']],
  ]
  for (const [what, said, fields] of cases) {
    it(what, () => {
      const refused: { field: string; reason: string }[] = read(said)
      assert.deepEqual(refused.map(({ field }) => field).sort(), fields.sort())
      assert.ok(refused.every(({ reason }) => reason.length > 0))
    })
  }

  it('and a field that is ignored may be anything', () => {
    assert.deepEqual(read({ id: 'a', extra: {}, timezone: 'Mars/Base' }, ['extra', 'timezone']), { externalId: 'a' })
  })
})

it('columns are judged before the first line', () => {
  const judge = (...columns: string[]) => judgeColumns(columns, new Set(['left out'])) ?? 'fine'
  assert.equal(judge('id', 'name', 'attributes.x', 'in_app', 'left out'), 'fine')
  assert.match(judge('id', 'e-mail', 'Name'), /"e-mail", "Name" .*--ignore/)
  assert.match(judge('name'), /column "id"/)
  assert.match(judge('id', 'external_id'), /one column "id"/)
  assert.match(judge('id', 'name', 'name'), /"name" is there twice/)
})
