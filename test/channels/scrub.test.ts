import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scrub } from '../../src/channels/scrub.ts'
import { everythingPrivate, firstSecret, privateWords, testMessage } from './support/test-message.ts'

const message = testMessage('email')

const cases: [text: string, scrubbed: string][] = [
  ['Service Unavailable', 'Service Unavailable'],
  ['see https://vendor.example/errors?id=1 for more', 'see [url] for more'],
  ['<someone@else.example>: unknown', '<[address]>: unknown'],
  ['from 203.0.113.9 refused', 'from [ip] refused'],
  ['from 2001:db8::17 refused', 'from [ip] refused'],
  ['dial +1 (555) 010-9999 now', 'dial [number] now'],
  ['limit of 100 per 60 seconds, code 21610', 'limit of 100 per 60 seconds, code 21610'],
  ['Bearer abcdefghijklmnopqrstuvwx rejected', 'Bearer [token] rejected'],
  [`key ${firstSecret}`, 'key [token]'],
  ['two\r\nlines\tand\0more', 'two lines and more'],
  ['Dear QUASIMODO, your xylophone', 'Dear …, … …'],
  ['x'.repeat(3_000), ''],
]

for (const [text, scrubbed] of cases) {
  test(`${JSON.stringify(text.slice(0, 50))} becomes ${JSON.stringify(scrubbed)}`, () => {
    assert.equal(scrub(text, message), scrubbed)
  })
}

test('no word of the message survives, and the detail is short', () => {
  for (const text of [everythingPrivate, everythingPrivate.repeat(50), JSON.stringify(message)]) {
    const clean = scrub(text, message).toLowerCase()
    assert.ok(clean.length <= 200)
    for (const word of privateWords) assert.ok(!clean.includes(word), `${word} in ${clean}`)
  }
})
