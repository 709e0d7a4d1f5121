import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { coerceRequest } from '../../../src/pipeline/accept/coerce-request.ts'

const request = { type: 'a.b', recipient: { id: 'ann' }, subject: 'Hello' }

describe('the schedule of a request that came without GraphQL', () => {
  it('is taken as it is', () => {
    const schedule = { delay: null, localTime: '09:00', sendWindow: { startTime: '08:00', endTime: '20:00' } }
    const coerced = coerceRequest({ ...request, schedule })
    assert.ok(coerced.ok)
    assert.deepEqual(coerced.input.schedule, schedule)
  })

  it('has no other fields', () => {
    const schedule = { cron: '* * * * *', sendWindow: { from: '08:00' } }
    const coerced = coerceRequest({ ...request, schedule })
    assert.ok(!coerced.ok)
    assert.deepEqual(
      coerced.faults.map(({ path }) => path.join('.')),
      ['schedule.cron', 'schedule.sendWindow.from'],
    )
  })
})
