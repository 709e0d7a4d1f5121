import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Subject } from '../../../src/domain/limits/allot.ts'
import type { Limitable } from '../../../src/domain/limits/apply-limits.ts'
import type { Counts } from '../../../src/domain/limits/counts-text.ts'
import { simulateLimits } from '../../../src/domain/limits/simulate-limits.ts'

const limit: Limit = {
  id: 'draft',
  name: 'a draft',
  scope: 'user',
  channel: 'email',
  max: 2,
  window: { seconds: 3_600 },
  onExcess: 'suppress',
  allowCritical: false,
}

test('a draft is tried out over what has happened, chunk after chunk, with the clock of then', () => {
  const counts = new Map<Subject, Counts>()
  const at = (time: string) => {
    const item: Limitable = {
      recipientId: 'ann',
      priority: 1,
      decision: {
        deliveries: [
          { channel: 'email', state: 'queued', address: 'a', fallbackRank: 0 },
          { channel: 'sms', state: 'held', address: 'a', fallbackRank: 1 },
        ],
        steps: [],
      },
    }
    simulateLimits([item], [limit], counts, new Date(`2026-03-10T${time}Z`))
    return item.decision.deliveries.map(({ state }) => state).join(' ')
  }
  assert.deepEqual(['12:00:00', '12:10:00', '12:20:00', '13:00:59', '13:01:00', '13:02:00'].map(at), [
    'queued held',
    'queued held',
    'suppressed queued',
    'suppressed queued',
    'queued held',
    'suppressed queued',
  ])
})

for (const [name, window, arrivalGapMs] of [
  ['at once', { seconds: 3_600 }, 0],
  ['over hours', { seconds: 3_600 }, 20_000],
  ['at once, under a quota of the day', { calendar: 'day' }, 0],
] as const) {
  test(`a thousand that come ${name} all leave in the end, a hundred a window, and ask at most once a window`, () => {
    const hundred: Limit = { ...limit, scope: 'tenant', max: 100, window, onExcess: 'snooze' }
    const counts = new Map<Subject, Counts>()
    const start = Date.parse('2026-03-10T12:00:30Z')
    const waiting = Array.from({ length: 1_000 }, (_, index) => start + index * arrivalGapMs)
    const sent: number[] = []
    let asked = 0
    while (waiting.length > 0) {
      const moment = Math.min(...waiting)
      const due = waiting.filter((at) => at <= moment)
      waiting.splice(0, waiting.length, ...waiting.filter((at) => at > moment))
      const items = due.map((): Limitable & { decision: { deliveries: { until?: Date; state: string }[] } } => ({
        recipientId: 'ann',
        priority: 1,
        decision: { deliveries: [{ channel: 'email', state: 'queued', address: 'a', fallbackRank: 0 }], steps: [] },
      }))
      simulateLimits(items, [hundred], counts, new Date(moment))
      asked += items.length
      for (const { decision } of items) {
        const { state, until } = decision.deliveries[0]!
        if (state === 'queued') sent.push(moment)
        else waiting.push(until!.getTime())
      }
      assert.ok(asked < 100_000, 'they ask and ask')
    }
    assert.equal(sent.length, 1_000)
    const windowMs = 'seconds' in window ? 3_600_000 : 0
    for (let index = 100; index < sent.length; index++) assert.ok(sent[index]! - sent[index - 100]! >= windowMs)
    const windows = Math.ceil((sent.at(-1)! - start) / (windowMs || 86_400_000))
    assert.ok(windows <= 11, `${windows} windows`)
    assert.ok(asked <= 1_000 * (windows + 1), `${asked} asked`)
  })
}
