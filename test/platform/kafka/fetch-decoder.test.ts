import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { decodeFetchResponse, maxHeaders } from '../../../src/platform/kafka/fetch-decoder.ts'

interface BatchOf {
  offset: number
  values?: (string | null)[]
  key?: Buffer
  headers?: [string, Buffer | null][]
  producer?: number
  transactional?: boolean
  control?: boolean
  codec?: number
  body?: Buffer
  count?: number
}

const int = (bytes: 2 | 4 | 8, value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(bytes)
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(value))
  else if (bytes === 4) buffer.writeInt32BE(Number(value))
  else buffer.writeInt16BE(Number(value))
  return buffer
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value < 0 ? -value * 2 - 1 : value * 2
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128)
  return Buffer.from([...bytes, left])
}
const sized = (bytes: Buffer | null) => (bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]))

function record(delta: number, value: string | null, { key, headers = [] }: BatchOf): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(delta * 1_000),
    varint(delta),
    sized(key ?? null),
    sized(value === null ? null : Buffer.from(value)),
    varint(headers.length),
    ...headers.flatMap(([name, bytes]) => [sized(Buffer.from(name)), sized(bytes)]),
  ])
  return Buffer.concat([varint(body.length), body])
}

function batch(of: BatchOf): Buffer {
  const values = of.values ?? ['x']
  const plain = of.body ?? Buffer.concat(values.map((value, delta) => record(delta, value, of)))
  const body = of.codec === 1 && !of.body ? gzipSync(plain) : plain
  const attributes = (of.codec ?? 0) | (of.transactional ? 0x10 : 0) | (of.control ? 0x20 : 0)
  const rest = Buffer.concat([
    int(4, 0),
    Buffer.from([2]),
    int(4, 0),
    int(2, attributes),
    int(4, values.length - 1),
    int(8, 1_700_000_000_000),
    int(8, 1_700_000_009_000),
    int(8, of.producer ?? -1),
    int(2, 0),
    int(4, 0),
    int(4, of.count ?? values.length),
    body,
  ])
  return Buffer.concat([int(8, of.offset), int(4, rest.length), rest])
}

async function decode(batches: Buffer[], aborted: [producer: number, first: number][] = []) {
  const records = Buffer.concat(batches)
  const response = Buffer.concat([
    int(4, 0),
    int(2, 0),
    int(4, 0),
    int(4, 1),
    int(2, 1),
    Buffer.from('t'),
    int(4, 1),
    int(4, 3),
    int(2, 0),
    int(8, 99),
    int(8, 99),
    int(8, 5),
    int(4, aborted.length),
    ...aborted.flatMap(([producer, first]) => [int(8, producer), int(8, first)]),
    int(4, -1),
    int(4, records.length),
    records,
  ])
  const { responses } = await decodeFetchResponse(response)
  return responses[0]!.partitions[0]!
}
const seen = (messages: { isControlRecord: boolean; offset: string; value: Buffer | null }[]) =>
  messages.filter((each) => !each.isControlRecord).map((each) => `${each.offset} ${each.value}`)

test('offsets, times, keys, values and headers are read', async () => {
  const { partition, highWatermark, messages } = await decode([
    batch({
      offset: 7,
      values: ['a', null],
      key: Buffer.from('k'),
      headers: [
        ['h', Buffer.from([0xff])],
        ['h', null],
        ['h', Buffer.from('2')],
        ['__proto__', Buffer.from('p')],
      ],
    }),
    batch({ offset: 9, values: ['b'], codec: 1 }),
  ])
  assert.deepEqual({ partition, highWatermark }, { partition: 3, highWatermark: '99' })
  assert.deepEqual(seen(messages), ['7 a', '8 null', '9 b'])
  assert.deepEqual(messages.map(({ timestamp }) => timestamp).slice(0, 2), ['1700000000000', '1700000001000'])
  const { headers, key, headerCount } = messages[0]!
  assert.deepEqual(headers.h, [Buffer.from([0xff]), Buffer.from('2')])
  assert.deepEqual(Object.keys(headers), ['h', '__proto__'])
  assert.equal(String(key), 'k')
  assert.equal(headerCount, 4)
})

test('of transactions that overlap, the aborted ones alone are hidden, whatever their keys are', async () => {
  const zero = Buffer.alloc(4) // the key of an abort mark, and the one that Java gives the number 0
  const transactional = true
  const { messages } = await decode(
    [
      batch({ offset: 0, values: ['bad 1'], producer: 2, transactional, key: zero }),
      batch({ offset: 1, values: ['bad 2'], producer: 1, transactional }),
      batch({ offset: 2, values: ['good 1'], producer: 3, transactional, key: zero }),
      batch({ offset: 3, values: ['bad 3'], producer: 2, transactional }),
      batch({ offset: 4, producer: 1, transactional, control: true, key: zero }),
      batch({ offset: 5, values: ['good 2'], producer: 1, transactional }),
      batch({ offset: 6, values: ['bad 4'], producer: 2, transactional }),
      batch({ offset: 7, producer: 3, transactional, control: true }),
      batch({ offset: 8, producer: 2, transactional, control: true, key: zero }),
      batch({ offset: 9, values: ['good 3'], producer: 2, transactional }),
      batch({ offset: 10, values: ['good 4'], producer: 1 }),
    ],
    [
      [1, 1],
      [2, 0],
    ], // by their ends, as brokers say it
  )
  assert.deepEqual(seen(messages), ['2 good 1', '5 good 2', '9 good 3', '10 good 4'])
  assert.equal(messages.at(-1)!.offset, '10')
})

test('a flood of headers is read in no time, and cut', async () => {
  const headers = Array.from({ length: 200_000 }, (_, index): [string, Buffer] => [String(index), Buffer.from('v')])
  const started = performance.now()
  const { messages } = await decode([batch({ offset: 0, values: ['a', 'b'], headers }), batch({ offset: 2 })])
  assert.ok(performance.now() - started < 2_000)
  assert.deepEqual(seen(messages), ['0 a', '1 b', '2 x'])
  assert.equal(messages[0]!.headerCount, 200_000)
  assert.equal(Object.keys(messages[0]!.headers).length, maxHeaders)
})

for (const [what, of] of Object.entries({
  'a codec that nobody knows': { codec: 7 },
  'garbage for gzip': { codec: 1, body: Buffer.from('no gzip') },
  'records that are cut off': { body: Buffer.from([200, 1, 0, 0]) },
  'more records than there are bytes': { count: 100_000 },
  'more records than are sensible': { count: 2_000_000_000 },
  'fewer records than none': { count: -5 },
} satisfies Record<string, Partial<BatchOf>>)) {
  test(`a batch with ${what} is one message that says so, and what follows is read`, async () => {
    const bad = batch({ offset: 4, values: ['a', 'b', 'c'], ...of })
    const { messages } = await decode([bad, batch({ offset: 7 })])
    const [first] = messages
    assert.equal(first!.offset, '4')
    assert.ok(first!.undecodable)
    assert.deepEqual(first!.value, bad)
    assert.deepEqual(seen(messages).slice(1), ['7 x'])
    assert.ok(messages.some(({ offset, isControlRecord }) => offset === '6' && isControlRecord))
  })
}

test('a batch whose rest did not fit into the answer is left for the next one', async () => {
  const { messages } = await decode([
    batch({ offset: 0 }),
    batch({ offset: 1, values: ['a'.repeat(100)] }).subarray(0, 90),
  ])
  assert.deepEqual(seen(messages), ['0 x'])
})

test('an answer is taken apart up to its bound, and the rest is left', async () => {
  const large = (offset: number) => batch({ offset, values: ['a'.repeat(5_000_000)], codec: 1 })
  const { messages } = await decode([large(0), large(1), large(2), large(3)])
  assert.deepEqual(
    messages.map(({ offset }) => offset),
    ['0', '1'],
  )
})
