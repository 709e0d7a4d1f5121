import assert from 'node:assert/strict'
import { test } from 'node:test'
import { percentilesOf, spreadOf } from './statistics.ts'

test('percentiles are samples, by nearest rank, and their order does not matter', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.deepEqual(percentilesOf(samples), { p50Ms: 50, p95Ms: 95, p99Ms: 99, maxMs: 100 })
  assert.deepEqual(percentilesOf([7]), { p50Ms: 7, p95Ms: 7, p99Ms: 7, maxMs: 7 })
})

test('the median of an even number of rounds lies between the middle two', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 })
  assert.deepEqual(spreadOf([9, 1, 5]), { median: 5, least: 1, most: 9 })
})
