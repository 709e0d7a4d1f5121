import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSamples } from '../samples.ts'
import { startOrderOf } from './start-order.ts'

/** One start a millisecond, from 0 on. */
function startsOf(priorities: number[]) {
  const starts = {
    atMs: createSamples(),
    priority: createSamples(),
    sinceIntendedMs: createSamples(),
    sinceAcceptedMs: createSamples(),
  }
  for (const [at, priority] of priorities.entries()) {
    starts.atMs.add(at)
    starts.priority.add(priority)
    starts.sinceIntendedMs.add(at)
    starts.sinceAcceptedMs.add(at / 2)
  }
  return starts
}

test('a drain by priority is in order, and what started before it does not count', () => {
  const order = startOrderOf(startsOf([0, 0, 3, 3, 1, 0, 0]), 2)
  assert.deepEqual([order.drained, order.inOrderShare], [5, 1])
  assert.deepEqual(order.meanPlace, { 0: 0.875, 1: 0.5, 3: 0.125 })
  assert.equal(order.sinceIntended[3]!.maxMs, 3)
  assert.equal(order.sinceAccepted[3]!.maxMs, 1.5)
})

test('a start while something of a higher priority waits is out of order', () => {
  assert.equal(startOrderOf(startsOf([3, 0, 3, 0]), 0).inOrderShare, 0.75)
})

test('where nothing was left to drain, all is in order', () => {
  assert.equal(startOrderOf(startsOf([0, 3]), 10).inOrderShare, 1)
})
