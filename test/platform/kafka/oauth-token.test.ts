import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTokenSource } from '../../../src/platform/kafka/oauth-token.ts'
import { testClock } from '../../support/test-clock.ts'
import { startTokenEndpoint, type TokenEndpoint, tokenClient } from './support/token-endpoint.ts'

const gives = (token: string, seconds?: number): TokenEndpoint['answer'] => ({
  status: 200,
  body: { access_token: token, token_type: 'Bearer', ...(seconds === undefined ? {} : { expires_in: seconds }) },
})

test('a token is asked for by the client credentials grant, once for many at a time', async () => {
  await using endpoint = await startTokenEndpoint(gives('one', 300))
  const source = createTokenSource({ tokenUrl: endpoint.url, scope: 'kafka feed', ...tokenClient }, testClock())
  assert.deepEqual(await Promise.all([source.get(), source.get(), source.get()]), ['one', 'one', 'one'])
  const [{ authorization, form }] = endpoint.asked as [TokenEndpoint['asked'][number]]
  assert.equal(endpoint.asked.length, 1)
  assert.deepEqual(Object.fromEntries(form), { grant_type: 'client_credentials', scope: 'kafka feed' })
  const credentials = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
  assert.equal(credentials, 'relay+of+carillon:client-hush%2B%2F%3D%7E1')
})

test('a token is kept until a minute before its end, or for half of a short life', async () => {
  for (const [seconds, keptSeconds] of [
    [300, 240],
    [60, 30],
  ] as const) {
    await using endpoint = await startTokenEndpoint(gives('one', seconds))
    const clock = testClock()
    const source = createTokenSource({ tokenUrl: endpoint.url, ...tokenClient }, clock)
    await source.get()
    endpoint.answer = gives('two', seconds)
    clock.advance((keptSeconds - 1) * 1_000)
    assert.equal(await source.get(), 'one')
    clock.advance(1_000)
    assert.equal(await source.get(), 'two')
  }
})

test('a token whose life is not told serves once', async () => {
  await using endpoint = await startTokenEndpoint(gives('one'))
  const source = createTokenSource({ tokenUrl: endpoint.url, ...tokenClient }, testClock())
  await source.get()
  await source.get()
  assert.equal(endpoint.asked.length, 2)
})

test('while a new one cannot be had the old one serves, to its end', async () => {
  await using endpoint = await startTokenEndpoint(gives('one', 300))
  const clock = testClock()
  const source = createTokenSource({ tokenUrl: endpoint.url, ...tokenClient }, clock)
  await source.get()
  endpoint.answer = { status: 503, body: '' }
  clock.advance(250_000)
  assert.equal(await source.get(), 'one')
  assert.equal(await source.get(), 'one')
  assert.equal(endpoint.asked.length, 2) // not at each login
  clock.advance(50_000)
  await assert.rejects(source.get(), { code: 'KAFKA_UNAVAILABLE' })
})

test('a token that was refused is not given again', async () => {
  await using endpoint = await startTokenEndpoint(gives('one', 300))
  const source = createTokenSource({ tokenUrl: endpoint.url, ...tokenClient }, testClock())
  source.forget(await source.get())
  endpoint.answer = gives('two', 300)
  assert.equal(await source.get(), 'two')
  source.forget('one')
  assert.equal(await source.get(), 'two')
  assert.equal(endpoint.asked.length, 2)
})

const answers: [string, TokenEndpoint['answer'], string, RegExp][] = [
  [
    'a wrong secret',
    { status: 401, body: { error: 'invalid_client' } },
    'KAFKA_REFUSED',
    /answers 401 invalid_client$/,
  ],
  [
    'a scope that is not ours',
    { status: 400, body: { error: 'invalid_scope' } },
    'KAFKA_REFUSED',
    /400 invalid_scope$/,
  ],
  ['the secret as its error', { status: 400, body: { error: 'hush' } }, 'KAFKA_REFUSED', /answers 400$/],
  ['a redirect', { status: 302, body: '' }, 'KAFKA_REFUSED', /answers 302$/],
  ['too many requests', { status: 429, body: 'hush' }, 'KAFKA_UNAVAILABLE', /answers 429$/],
  ['an error of its own', { status: 500, body: '<html>hush' }, 'KAFKA_UNAVAILABLE', /answers 500$/],
  ['a page', { status: 200, body: '<html>hush' }, 'KAFKA_REFUSED', /without an access token$/],
  ['no token', { status: 200, body: { token: 'hush' } }, 'KAFKA_REFUSED', /without an access token$/],
  ['a token of two lines', gives('hush\u0001auth=Bearer x', 60), 'KAFKA_REFUSED', /without an access token$/],
  ['a flood', { status: 200, body: 'hush'.repeat(100_000) }, 'KAFKA_UNAVAILABLE', /cannot be asked/],
]
for (const [name, answer, code, message] of answers) {
  test(`${name} is ${code}, and no secret is told`, async () => {
    await using endpoint = await startTokenEndpoint(answer)
    const client = {
      tokenUrl: endpoint.url,
      clientId: 'us',
      clientSecret: name.includes('secret as') ? 'hush' : 'x-hush',
    }
    await assert.rejects(createTokenSource(client).get(), (error: Error & { code: string }) => {
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /hush/)
      return true
    })
  })
}

test('an endpoint that hangs is given up in time, and one that is not there at once', async () => {
  await using endpoint = await startTokenEndpoint('hang')
  const unavailable = { code: 'KAFKA_UNAVAILABLE', message: /cannot be asked/ }
  const patience = { timeoutMs: 100 }
  await assert.rejects(createTokenSource({ tokenUrl: endpoint.url, ...tokenClient, ...patience }).get(), unavailable)
  await assert.rejects(createTokenSource({ tokenUrl: 'http://127.0.0.1:1/', ...tokenClient }).get(), unavailable)
})
