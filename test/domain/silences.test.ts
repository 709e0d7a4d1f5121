import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scopeOf } from '../../src/domain/expressions/scope.ts'
import { compileSilences, type Silence, silenced, windowsOf } from '../../src/domain/silences.ts'

const at = (text: string) => new Date(text)
const now = at('2026-11-20T10:00:00Z')

const aSilence = (fields: Partial<Silence> = {}): Silence => ({
  id: 's-1',
  matcher: 'event.type.startsWith("host.")',
  startsAt: at('2026-11-20T09:00:00Z'),
  endsAt: at('2026-11-20T11:00:00Z'),
  author: 'ann',
  comment: 'the disk is exchanged',
  ...fields,
})

const anAlert = (id: string, type = 'host.down', data: Record<string, unknown> = {}) => ({
  id,
  scope: scopeOf({ event: { id, type, domain: 'host', acceptedAt: now, priority: 3, data }, now }),
})

describe('a silence', () => {
  it('holds back what matches, and says until when and why', () => {
    const silences = compileSilences([aSilence()])
    const held = silenced(silences, [anAlert('a'), anAlert('b', 'order.shipped')], now)
    const until = at('2026-11-20T11:00:00Z')
    assert.deepEqual(held, new Map([['a', { reason: 'silenced', id: 's-1', until, comment: 'the disk is exchanged' }]]))
  })

  const moments: [name: string, moment: string, holds: boolean][] = [
    ['before it begins', '2026-11-20T08:59:59.999Z', false],
    ['when it begins', '2026-11-20T09:00:00Z', true],
    ['just before it ends', '2026-11-20T10:59:59.999Z', true],
    ['when it ends', '2026-11-20T11:00:00Z', false],
  ]
  for (const [name, moment, isHeld] of moments) {
    it(`${name} it holds ${isHeld ? 'everything' : 'nothing'} back`, () => {
      assert.equal(silenced(compileSilences([aSilence()]), [anAlert('a')], at(moment)).size, isHeld ? 1 : 0)
    })
  }

  it('that holds longer is the one that is told of', () => {
    const longer = aSilence({ id: 's-2', endsAt: at('2026-11-20T12:00:00Z') })
    for (const order of [
      [aSilence(), longer],
      [longer, aSilence()],
    ]) {
      assert.equal(silenced(compileSilences(order), [anAlert('a')], now).get('a')!.id, 's-2')
    }
  })

  it('asks of data that an event does not have: it does not match', () => {
    const silences = compileSilences([aSilence({ matcher: 'event.data.host == "db-1"' })])
    const alerts = [anAlert('a', 'host.down', { host: 'db-1' }), anAlert('b'), anAlert('c', 'host.down', { host: 7 })]
    assert.deepEqual([...silenced(silences, alerts, now).keys()], ['a'])
  })

  it('whose matcher does not compile any more holds nothing back', () => {
    assert.deepEqual(compileSilences([aSilence({ matcher: 'event.' })]), [])
  })
})

describe('a maintenance window', () => {
  const nights = {
    startsAt: at('2026-10-01T00:00:00Z'),
    recurrence: { cron: '0 22 * * 6', timezone: 'Europe/Berlin' },
    durationMs: 8 * 3_600_000,
  }
  const moments: [name: string, moment: string, until?: string][] = [
    ['before', '2026-10-24T19:59:59Z'],
    ['at the beginning', '2026-10-24T20:00:00Z', '2026-10-25T04:00:00Z'],
    ['after the clocks went back', '2026-10-25T03:59:59Z', '2026-10-25T04:00:00Z'],
    ['after eight hours', '2026-10-25T04:00:00Z'],
    ['a week later, by the wall clock', '2026-10-31T21:00:00Z', '2026-11-01T05:00:00Z'],
  ]
  for (const [name, moment, until] of moments) {
    it(`${name} it ${until ? 'holds' : 'does not hold'}`, () => {
      assert.deepEqual(windowsOf(nights)(at(moment))?.until, until && at(until))
    })
  }

  it('answers the same whether or not it was asked before', () => {
    const asked = windowsOf(nights)
    for (
      let time = at('2026-10-23T00:00:00Z').getTime();
      time < at('2026-11-03T00:00:00Z').getTime();
      time += 1_777_000
    ) {
      assert.deepEqual(asked(new Date(time)), windowsOf(nights)(new Date(time)), new Date(time).toISOString())
    }
    assert.equal(asked(at('2026-10-24T19:00:00Z')), undefined, 'also back in time')
    assert.notEqual(asked(at('2026-10-24T21:00:00Z')), undefined)
  })

  it('holds from its beginning to its end, if it has one', () => {
    const windowAt = windowsOf({ ...nights, startsAt: at('2026-10-24T22:00:00Z'), endsAt: at('2026-10-25T01:00:00Z') })
    assert.equal(windowAt(at('2026-10-24T21:59:00Z')), undefined)
    assert.deepEqual(windowAt(at('2026-10-24T22:00:00Z'))?.until, at('2026-10-25T01:00:00Z'))
    assert.equal(windowAt(at('2026-10-31T22:00:00Z')), undefined)
  })

  it('that is as long as its period never ends', () => {
    const always = windowsOf({ startsAt: now, recurrence: { cron: '0 0 * * *' }, durationMs: 86_400_000 })
    for (let hour = 0; hour < 72; hour++) assert.ok(always(new Date(now.getTime() + hour * 3_600_000)))
  })
})

describe('asking silences', () => {
  it('costs little for each event', () => {
    const silences = compileSilences(
      Array.from({ length: 100 }, (_, index) =>
        aSilence({ id: `s-${index}`, matcher: `event.data.host == "db-${index}"` }),
      ),
    )
    const alerts = Array.from({ length: 1_000 }, (_, index) => anAlert(`a-${index}`, 'host.down', { host: 'web-1' }))
    const began = process.cpuUsage()
    silenced(silences, alerts, now)
    const { user } = process.cpuUsage(began)
    assert.ok(user < 2_000_000, `${user / 1000} ms for 100,000 questions`)
  })
})
