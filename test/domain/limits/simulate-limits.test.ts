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
