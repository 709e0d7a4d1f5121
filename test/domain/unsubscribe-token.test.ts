import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createUnsubscribeTokens } from '../../src/domain/unsubscribe-token.ts'

const keys = new Map([[1, randomBytes(32)]])
const tokens = createUnsubscribeTokens(keys)
const subject = { tenantId: randomUUID(), recipientId: 'ann@example.com', category: 'news' }

test('a token is read back, and is the same each time it is signed', () => {
  assert.deepEqual(tokens.read(tokens.sign(subject)), subject)
  assert.equal(tokens.sign(subject), tokens.sign({ ...subject }))
  const odd = { ...subject, recipientId: 'ä|%2F/\u{1f514}', category: 'a.b c' }
  assert.deepEqual(tokens.read(tokens.sign(odd)), odd)
})

test('a token shows nobody whom it is of, and needs no escaping in a URL', () => {
  const token = tokens.sign(subject)
  assert.match(token, /^[A-Za-z0-9_-]+$/)
  const bytes = Buffer.from(token, 'base64url').toString('latin1')
  for (const part of ['ann', 'news', subject.tenantId.slice(0, 8)]) assert.ok(!bytes.includes(part))
})

test('a token that was changed anywhere is none', () => {
  const token = tokens.sign(subject)
  for (let index = 0; index < token.length; index++) {
    const other = token[index] === 'A' ? 'B' : 'A'
    assert.equal(tokens.read(token.slice(0, index) + other + token.slice(index + 1)), undefined, `place ${index}`)
  }
  for (const bad of [
    '',
    'x',
    token.slice(1),
    token.slice(0, -1),
    `${token}A`,
    `${token}=`,
    `${token}\n`,
    'A'.repeat(200),
  ]) {
    assert.equal(tokens.read(bad), undefined)
  }
})

test('a key of another installation reads nothing, and one that was replaced reads what it signed', () => {
  assert.equal(createUnsubscribeTokens(new Map([[1, randomBytes(32)]])).read(tokens.sign(subject)), undefined)
  const rotated = createUnsubscribeTokens(new Map([...keys, [2, randomBytes(32)]]))
  assert.deepEqual(rotated.read(tokens.sign(subject)), subject)
  assert.equal(tokens.read(rotated.sign(subject)), undefined)
})
