import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodemailerError } from 'nodemailer'
import { smtpFailureOutcome } from '../../src/channels/email/smtp-errors.ts'
import { testMessage } from './support/test-message.ts'

const message = testMessage('email')

function nodemailerError(over: Partial<NodemailerError>): NodemailerError {
  return Object.assign(new Error('connect to smtp.belfry.example failed'), over)
}

/** What has no reply to judge by; replies are in the conformance suite, over a real socket. */
const cases: [code: string, originalCode: string | undefined, reason: string, retryable: boolean][] = [
  ['ESOCKET', 'ECONNREFUSED', 'transient', true],
  ['ESOCKET', 'ECONNRESET', 'transient', true],
  ['ETIMEDOUT', undefined, 'transient', true],
  ['EDNS', 'ENOTFOUND', 'transient', true],
  ['ECONNECTION', undefined, 'transient', true],
  ['ETLS', undefined, 'transient', true],
  ['EAUTH', undefined, 'misconfigured', false],
  ['ENOAUTH', undefined, 'misconfigured', false],
  ['EMESSAGE', undefined, 'content_refused', false],
]
for (const [code, originalCode, reason, retryable] of cases) {
  test(`${originalCode ?? code} before the message was sent is ${reason}`, () => {
    const error = nodemailerError({ code, originalCode })
    const detail = `not sent (${originalCode ?? code})`
    assert.deepEqual(smtpFailureOutcome({ error, wasDataSent: false }, message), {
      kind: 'rejected',
      reason,
      retryable,
      detail,
    })
  })
}

test('once the message was sent, every failure without a reply is unknown, and only a reply is a word', () => {
  for (const [code] of cases) {
    const outcome = smtpFailureOutcome({ error: nodemailerError({ code }), wasDataSent: true }, message)
    assert.equal(outcome.kind, 'unknown')
    assert.equal(outcome.reason, code === 'ETIMEDOUT' ? 'timeout' : 'transient')
  }
  const refusal = nodemailerError({ responseCode: 554, response: '554 5.7.1 spam', command: 'DATA' })
  assert.equal(smtpFailureOutcome({ error: refusal, wasDataSent: true }, message).kind, 'rejected')
})

test('a reply of several lines is judged by its first and quoted without its codes', () => {
  const response = '550-5.1.1 The account does not exist.\n550-5.1.1 Please check\n550 5.1.1 https://help.example/1'
  const error = nodemailerError({ responseCode: 550, response, command: 'RCPT TO' })
  assert.deepEqual(smtpFailureOutcome({ error, wasDataSent: false }, message), {
    kind: 'rejected',
    reason: 'invalid_recipient',
    retryable: false,
    detail: 'SMTP 550 5.1.1: The account does not exist. Please check [url]',
  })
})

test('a bug is thrown and not made an outcome', () => {
  assert.throws(
    () => smtpFailureOutcome({ error: new TypeError('x is undefined'), wasDataSent: false }, message),
    TypeError,
  )
})
