import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPastAlerts } from '../../../src/domain/dry-run/past-alerts.ts'
import { scopeOf } from '../../../src/domain/expressions/scope.ts'
import { compileInhibitions, type Inhibition } from '../../../src/domain/inhibitions.ts'
import { compileSilences } from '../../../src/domain/silences.ts'

const inhibition = (changes: Partial<Inhibition> = {}): Inhibition => ({
  id: 'i1',
  name: 'site down',
  source: 'event.type == "site"',
  target: 'event.type == "host"',
  equal: ['event.data.site'],
  ...changes,
})
let count = 0
const event = (type: string, data: Record<string, unknown>, at: Date) => {
  const id = `01900000-0000-7000-9000-${(++count).toString(16).padStart(4, '0')}00000000`
  const said = { id, type, domain: 'ops', occurredAt: at, acceptedAt: at, priority: 1, data }
  return { id, scope: scopeOf({ event: said, now: at }) }
}
const at = (time: string) => new Date(`2026-11-20T${time}Z`)

/** What each event of a day was held back by. */
function heldBack(inhibitions: Inhibition[], day: [time: string, type: string, data: Record<string, unknown>][]) {
  const alerts = createPastAlerts([], compileInhibitions(inhibitions))
  return day.map(([time, type, data]) => alerts.heldBack(event(type, data, at(time)), at(time))?.reason)
}

test('an alert that the events open holds back until they close it, for equal keys', () => {
  assert.deepEqual(
    heldBack(
      [inhibition()],
      [
        ['10:00:00', 'host', { site: 'a' }],
        ['10:01:00', 'site', { site: 'a' }],
        ['10:02:00', 'host', { site: 'a' }],
        ['10:02:00', 'host', { site: 'b' }],
        ['10:03:00', 'site', { site: 'a', status: 'resolved' }],
        ['10:04:00', 'host', { site: 'a' }],
      ],
    ),
    [undefined, undefined, 'inhibited', undefined, undefined, undefined],
  )
})

test('an alert that nobody hears of any more ends by itself', () => {
  assert.deepEqual(
    heldBack(
      [inhibition({ openForMs: 60_000 })],
      [
        ['10:00:00', 'site', { site: 'a' }],
        ['10:00:59', 'host', { site: 'a' }],
        ['10:01:00', 'host', { site: 'a' }],
      ],
    ),
    [undefined, 'inhibited', undefined],
  )
})

test('of two alerts of a key the last one that is over ends it', () => {
  assert.deepEqual(
    heldBack(
      [inhibition({ alert: 'event.data.name' })],
      [
        ['10:00:00', 'site', { site: 'a', name: 'power' }],
        ['10:00:01', 'site', { site: 'a', name: 'network' }],
        ['10:00:02', 'site', { site: 'a', name: 'power', status: 'resolved' }],
        ['10:00:03', 'host', { site: 'a' }],
        ['10:00:04', 'site', { site: 'a', name: 'network', status: 'resolved' }],
        ['10:00:05', 'host', { site: 'a' }],
      ],
    ),
    [undefined, undefined, undefined, 'inhibited', undefined, undefined],
  )
})

test('a silence goes before an alert, and holds in its time alone', () => {
  const silence = { id: 's1', author: 'ann', comment: '', matcher: 'event.type == "host"' }
  const silences = compileSilences([{ ...silence, startsAt: at('10:00:00'), endsAt: at('11:00:00') }])
  const alerts = createPastAlerts(silences, compileInhibitions([inhibition()]))
  const say = (time: string, type: string) => alerts.heldBack(event(type, { site: 'a' }, at(time)), at(time))?.reason
  assert.deepEqual(
    [say('09:59:59', 'host'), say('10:00:00', 'site'), say('10:00:01', 'host'), say('11:00:00', 'host')],
    [undefined, undefined, 'silenced', 'inhibited'],
  )
})
