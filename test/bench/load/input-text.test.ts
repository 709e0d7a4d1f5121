import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInputWriter } from './input-text.ts'
import { eventInputOf, inputOf, itemsOf, type LoadProfile } from './load-item.ts'

const profiles: [string, LoadProfile][] = [
  ['of e-mail', { run: 'r0-0', channel: 'email' }],
  ['of SMS', { run: 'r0-0', channel: 'sms' }],
  ['of business events', { run: 'r0-0', channel: 'email', asEvents: true }],
  ['of a mix of priorities', { run: 'r0-0', channel: 'email', priorities: ['CRITICAL', 'LOW', 'LOW'] }],
]

for (const [what, profile] of profiles) {
  test(`the text of an input is what JSON.stringify would make of it: ${what}`, () => {
    const write = createInputWriter(profile)
    const inputFor = profile.asEvents ? eventInputOf : inputOf
    for (const item of itemsOf({ first: 49_999, size: 4, phase: 7, intendedMs: 123.456 }, profile)) {
      assert.deepEqual(JSON.parse(write(item.number, 7, 123.456)), JSON.parse(JSON.stringify(inputFor(item))))
    }
  })
}
