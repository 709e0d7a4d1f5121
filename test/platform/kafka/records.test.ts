import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import kafkajs from 'kafkajs'
import { decompress } from '../../../src/platform/kafka/decompress.ts'
import { type Compression, encodeRecordBatch, type KafkaRecord } from '../../../src/platform/kafka/records.ts'

const require = createRequire(import.meta.url)
const Decoder: new (bytes: Buffer) => object = require('kafkajs/src/protocol/decoder')
const decodeBatch: (decoder: object) => Promise<Decoded> = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const crc32c: (bytes: Buffer) => number = require('kafkajs/src/protocol/recordBatch/crc32C')

interface Decoded {
  producerId: string
  producerEpoch: number
  inTransaction: boolean
  firstSequence: number
  records: { key: Buffer; value: Buffer; headers: Record<string, Buffer>; offset: string }[]
}

const { CompressionCodecs, CompressionTypes } = kafkajs
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: () => Promise.reject(new Error('only read here')),
  decompress: (bytes: Buffer) => decompress(CompressionTypes.ZSTD, bytes),
})

const records: KafkaRecord[] = [
  { key: Buffer.from('a-key'), value: '{"plain":true}', headers: { ce_id: '1', 'content-type': 'application/json' } },
  { key: 'ключ', value: '{"said":"grüß 🔔"}', headers: { ce_subject: 'ünïcode', ce_empty: '' } },
  { key: '', value: 'x'.repeat(300_000), headers: {} },
]

for (const compression of ['none', 'gzip', 'zstd'] satisfies Compression[]) {
  test(`kafkajs reads the batches that we write: ${compression}`, async () => {
    const state = { producerId: 4_294_967_297n, producerEpoch: 7, firstSequence: 41, transactional: true, compression }
    const batch = await encodeRecordBatch(records, state)
    assert.equal(batch.readUInt32BE(17), crc32c(batch.subarray(21)) >>> 0)
    assert.equal(batch.readInt32BE(8), batch.length - 12)
    const decoded = await decodeBatch(new Decoder(batch))
    assert.equal(String(decoded.producerId), '4294967297')
    assert.deepEqual([decoded.producerEpoch, decoded.firstSequence, decoded.inTransaction], [7, 41, true])
    assert.deepEqual(
      decoded.records.map(({ key, value, headers, offset }) => ({
        key: String(key),
        value: String(value),
        headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
        offset: Number(offset),
      })),
      records.map(({ key, value, headers }, offset) => ({ key: String(key), value, headers, offset })),
    )
  })
}
