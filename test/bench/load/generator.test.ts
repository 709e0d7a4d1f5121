import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monotonicMs } from '../statistics.ts'
import { createGenerator } from './generator.ts'
import type { LoadBatch } from './load-item.ts'
import { RefusedError } from './transport.ts'

/** A generator, and what of it was taken; what `fate` throws was not. */
function generatorTo(fate: (batch: LoadBatch) => Promise<void> = async () => {}) {
  const sent: LoadBatch[] = []
  const generator = createGenerator()
  generator.use({
    async send(batch) {
      await fate(batch)
      sent.push(batch)
      return { accepted: batch.size, duplicates: 0, rejected: 0 }
    },
    close: async () => {},
  })
  return { generator, sent }
}

test('an open loop sends every notification once, each request with the moment it should have been sent', async () => {
  const { generator, sent } = generatorTo()
  const report = await generator.runOpen({ phase: 3, seconds: 0.05, rate: 2_000, requestSize: 10 })
  assert.deepEqual([report.accepted, report.unanswered], [100, 0])
  assert.deepEqual(
    sent.map(({ first }) => first),
    Array.from({ length: 10 }, (_, index) => index * 10),
  )
  for (const [index, { intendedMs }] of sent.entries()) {
    assert.ok(Math.abs(intendedMs - sent[0]!.intendedMs - index * 5) < 0.01)
  }
})

test('a request that is refused is sent again, keeps its moment, and is counted', async () => {
  const waiting = new Set([0, 10])
  const { generator, sent } = generatorTo(async ({ first }) => {
    if (waiting.delete(first)) throw new RefusedError(1)
  })
  const beganMs = monotonicMs()
  const report = await generator.runOpen({ phase: 0, seconds: 0.02, rate: 1_000, requestSize: 10 })
  assert.deepEqual([report.accepted, report.refusals, report.unanswered], [20, 2, 0])
  const [least] = sent.map(({ intendedMs }) => intendedMs).sort((a, b) => a - b)
  assert.ok(least! < beganMs + 1)
})

test('a request whose fate is not known is counted in notifications, with its fault', async () => {
  const { generator } = generatorTo(async ({ first }) => {
    if (first === 0) throw new Error('reset')
  })
  const report = await generator.runOpen({ phase: 0, seconds: 0.02, rate: 1_000, requestSize: 10 })
  assert.deepEqual([report.accepted, report.unanswered, report.firstFault], [10, 10, 'reset'])
})

test('a closed loop keeps to its window until it hears that something is settled, and to its total', async () => {
  const { generator, sent } = generatorTo(async ({ first }) => {
    if (first === 20) generator.hearSettled(20)
  })
  const report = await generator.runClosed({
    phase: 0,
    seconds: 60,
    requestSize: 10,
    callers: 1,
    window: 30,
    total: 50,
  })
  assert.equal(report.accepted, 50)
  assert.equal(sent.length, 5)
})
