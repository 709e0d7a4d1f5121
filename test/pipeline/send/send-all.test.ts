import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../src/domain/message.ts'
import { type Result, type Sendable, type SendDeps, sendAll } from '../../../src/pipeline/send/send-all.ts'
import { createSlots } from '../../../src/pipeline/send/slots.ts'
import { testClock } from '../../support/test-clock.ts'

const message: Message = {
  deliveryId: 'd',
  notificationId: 'n',
  tenantId: 't',
  channel: 'email',
  attempt: 1,
  type: 'x',
  address: 'a@example.com',
  recipientId: 'a',
  data: {},
  metadata: {},
  createdAt: '2026-01-15T10:00:00.000Z',
}
const item = (extra: Partial<Sendable> = {}): Sendable => ({
  claim: { tenantId: 'a', channel: 'email' },
  message,
  ...extra,
})

function on(send: () => Promise<void>, limit = 1): SendDeps & { clock: ReturnType<typeof testClock> } {
  const clock = testClock()
  const slots = createSlots(limit)
  return {
    clock,
    providers: new Map([
      ['email', { name: 'p', send: async () => send().then(() => ({ kind: 'accepted' as const })) }],
    ]),
    slots: () => slots,
    now: clock.now,
    stopping: new AbortController().signal,
    cutOff: new AbortController().signal,
  }
}

test('what expires while it waits for a slot is not sent', async () => {
  const results: Result<Sendable>[] = []
  const deps = on(async () => deps.clock.advance(60_000))
  const expiresAt = new Date(deps.clock.now().getTime() + 30_000)
  await sendAll([item(), item({ expiresAt })], deps, (result) => results.push(result))
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['tried', 'expired'],
  )
})

test('a chunk that may be another worker’s by now is left as it is, and its job is not done with', async () => {
  const results: Result<Sendable>[] = []
  let ours = true
  const deps = on(async () => {
    ours = false
  })
  const sending = sendAll([item(), item(), item()], { ...deps, isOurs: () => ours }, (result) => results.push(result))
  await assert.rejects(sending, { code: 'CHUNK_LOST' })
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['tried'],
  )
})

test('no more are sent at once than there are slots', async () => {
  let active = 0
  let most = 0
  const deps = on(async () => {
    most = Math.max(most, ++active)
    await new Promise((resolve) => setImmediate(resolve))
    active--
  }, 3)
  await sendAll(
    Array.from({ length: 20 }, () => item()),
    deps,
    () => {},
  )
  assert.equal(most, 3)
})

test('tenants take turns at the slots', async () => {
  const slots = createSlots(1)
  const order: string[] = []
  const first = await slots.take('loud')
  const taken = ['loud', 'loud', 'loud', 'quiet'].map(async (tenantId) => {
    const release = await slots.take(tenantId)
    order.push(tenantId)
    release()
  })
  first()
  await Promise.all(taken)
  assert.deepEqual(order, ['loud', 'quiet', 'loud', 'loud'])
})
