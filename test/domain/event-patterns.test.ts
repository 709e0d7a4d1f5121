import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { coversType, createTypeMatcher, isEventPattern } from '../../src/domain/event-patterns.ts'

describe('a pattern of event types', () => {
  const cases: [pattern: string, type: string, covered: boolean][] = [
    ['notification.email.sent', 'notification.email.sent', true],
    ['notification.email.sent', 'notification.email.failed', false],
    ['notification.email.*', 'notification.email.sent', true],
    ['notification.email.*', 'notification.sms.sent', false],
    ['notification.email.*', 'notification.email', false],
    ['notification.*', 'notification.email.sent', true],
    ['notification.*', 'notification.dead_lettered', true],
    ['notification.*', 'carillon.breaker.opened', false],
    ['notification.*.failed', 'notification.email.failed', true],
    ['notification.*.failed', 'notification.failed', false],
    ['*.dead_lettered', 'notification.dead_lettered', true],
    ['*', 'notification.intent.received', true],
    ['notification.email', 'notification.email.sent', false],
    ['notification.em*', 'notification.email.sent', false],
  ]
  for (const [pattern, type, covered] of cases) {
    it(`${pattern} ${covered ? 'covers' : 'does not cover'} ${type}`, () => {
      assert.equal(coversType(pattern, type), covered)
      const matches = createTypeMatcher(['nothing', pattern])
      assert.equal(matches(type), covered)
      assert.equal(matches(type), covered)
    })
  }

  for (const pattern of [
    '*',
    'notification.*',
    'notification.*.failed',
    'carillon.*',
    'notification.browser_push.opened',
    'notification.digest.closed',
  ]) {
    it(`${pattern} is one`, () => assert.ok(isEventPattern(pattern)))
  }
  for (const text of [
    '',
    'notification',
    'notification.fax.sent',
    'notification.email.teleported',
    'notification.em*',
    '*.*.*.*',
    'carillon.webhook.test',
  ]) {
    it(`"${text}" is none, for no type is meant by it`, () => assert.ok(!isEventPattern(text)))
  }
})
