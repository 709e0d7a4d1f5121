import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChannelSettings, closeProviders, createProviders } from '../../src/channels/registry.ts'
import { createSinkProvider } from '../../src/channels/sink/sink-provider.ts'
import type { Channel } from '../../src/domain/channel.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { testMessage } from './support/test-message.ts'

const smtp = { url: 'smtp://127.0.0.1:1', from: 'bells@carillon.example' }
const capture = { directory: '/nonexistent/carillon' }
const captured = ['sms', 'voice', 'push', 'browser_push', 'slack', 'telegram', 'discord', 'pagerduty'] as const

function all(name: string, channels: readonly Channel[]): Partial<Record<Channel, string>> {
  return Object.fromEntries(channels.map((channel) => [channel, name]))
}

const cases: [what: string, settings: ChannelSettings, expected: Partial<Record<Channel, string>>][] = [
  ['nothing but webhooks', { webhook: {} }, { webhook: 'webhook' }],
  ['SMTP', { webhook: {}, smtp }, { webhook: 'webhook', email: 'smtp' }],
  ['capture', { webhook: {}, capture }, { webhook: 'webhook', email: 'capture', ...all('capture', captured) }],
  ['both', { webhook: {}, smtp, capture }, { webhook: 'webhook', email: 'smtp', ...all('capture', captured) }],
  ['the sink', { webhook: {}, smtp, capture, sink: true }, all('sink', ['email', 'webhook', ...captured])],
]

for (const [what, settings, expected] of cases) {
  test(`with ${what} configured, each channel has the provider it should`, async () => {
    const providers = createProviders(settings, systemClock)
    assert.deepEqual(Object.fromEntries([...providers].map(([channel, { name }]) => [channel, name])), expected)
    for (const [channel, provider] of providers) assert.equal(provider.channel, channel)
    await closeProviders(providers)
  })
}

test('closing closes every provider, and tells of one that would not', async () => {
  const closed: string[] = []
  const fake = (channel: Channel, close: () => Promise<void>) => ({ ...createSinkProvider({ channel }), close })
  const providers = new Map([
    ['sms' as const, fake('sms', () => Promise.reject(new Error('stuck')))],
    ['push' as const, fake('push', async () => void closed.push('push'))],
  ])
  await assert.rejects(closeProviders(providers), /stuck/)
  assert.deepEqual(closed, ['push'])
})

test('the sink accepts at once, and a stopped one with latency does not know', async () => {
  const message = testMessage('sms')
  const accepted = { kind: 'accepted', providerMessageId: message.deliveryId }
  assert.deepEqual(await createSinkProvider({ channel: 'sms' }).send(message, AbortSignal.abort()), accepted)
  const slow = createSinkProvider({ channel: 'sms', latencyMs: 1 })
  assert.deepEqual(await slow.send(message, new AbortController().signal), accepted)
  assert.equal((await slow.send(message, AbortSignal.abort())).kind, 'unknown')
})
