import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRetryAfter } from '../../src/channels/retry-after.ts'

const now = new Date('2026-05-01T12:00:00Z')

const cases: [header: string | undefined, ms: number | undefined][] = [
  ['0', 0],
  [' 120 ', 120_000],
  ['Fri, 01 May 2026 12:01:30 GMT', 90_000],
  ['Fri, 01 May 2026 11:00:00 GMT', 0],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['Soon', undefined],
  ['2026-05-01T12:01:30Z', undefined],
  ['99999999999999999999', undefined],
  ['', undefined],
  [undefined, undefined],
]

for (const [header, ms] of cases) {
  test(`Retry-After ${JSON.stringify(header)} means ${ms} ms`, () => assert.equal(parseRetryAfter(header, now), ms))
}
