import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createLastSequences, createSeenIds, hashOf } from '../../../src/pipeline/stream/seen-events.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'

test('ids are remembered as a Set does, far beyond what was expected, and given back as they were', () => {
  const seen = createSeenIds(10)
  const source = createIdSource({ now: () => new Date() })
  const batches = Array.from({ length: 100 }, () => source.batchId())
  const counted = batches.flatMap((batch) =>
    Array.from({ length: 300 }, (_, n) => batch.slice(0, 28) + n.toString(16).padStart(8, '0')),
  )
  const ids = [...counted, ...Array.from({ length: 30_000 }, () => randomUUID())]
  for (const id of ids) assert.equal(seen.add(id, hashOf(id)), true)
  for (const id of ids) assert.equal(seen.add(id, 0), false)
  assert.equal(seen.size, ids.length)
  assert.equal(seen.match(randomUUID(), 0), undefined)
  const [known, others] = [ids.slice(0, 50_000), ids.slice(50_000)]
  for (const id of known) assert.equal(seen.match(id, hashOf(id)), true)
  assert.equal(seen.match(known[0]!, hashOf('other')), false)
  assert.deepEqual([...seen.unmatched()].sort(), others.sort())
})

const sequence = (xid: bigint | number, id = '0190a1b2-c3d5-7123-8abc-1234deadbeef') =>
  `${String(xid).padStart(20, '0')}-${id}`

test('the sequences of a key rise by transaction, then by id, and a later one stays the mark', () => {
  const last = createLastSequences(1)
  const steps: [sequence: string, rises: boolean][] = [
    [sequence(9), true],
    [sequence(10), true],
    [sequence(10, '0190a1b2-c3d5-7123-8abc-1234deadbeee'), false],
    [sequence(10, '0190a1b2-c3d5-7123-8abc-1234deadbef0'), true],
    [sequence(2n ** 53n), true],
    [sequence(2n ** 53n - 1n), false],
    [sequence(2n ** 53n + 1n), true],
    [sequence(2n ** 53n), false],
    [sequence(2n ** 64n - 1n), true],
  ]
  for (const [at, rises] of steps) assert.equal(last.rises('k', at), rises, at)
  assert.equal(last.rises('another', sequence(1)), true)
})

test('many keys do not get into each other’s way', () => {
  const last = createLastSequences(1)
  const keys = Array.from({ length: 50_000 }, () => randomUUID())
  for (const [index, key] of keys.entries()) assert.equal(last.rises(key, sequence(index + 1)), true)
  for (const [index, key] of keys.entries()) assert.equal(last.rises(key, sequence(index)), false)
})
