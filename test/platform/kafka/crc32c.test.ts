import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { crc32c } from '../../../src/platform/kafka/crc32c.ts'

const ofKafkajs: (bytes: Buffer) => number = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C')

test('the checksum is Castagnoli’s, whatever the length', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283) // the check value of the CRC catalogue
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 167 + 13) & 0xff))
  for (let length = 0; length <= 300; length++)
    assert.equal(crc32c(bytes.subarray(0, length)), ofKafkajs(bytes.subarray(0, length)) >>> 0, `${length} bytes`)
})
