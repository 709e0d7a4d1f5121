import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEndpointSlots } from '../../../src/pipeline/send/endpoint-slots.ts'
import { testClock } from '../../support/test-clock.ts'

const one = 'https://one.example.com/hook'
const another = 'https://another.example.com/hook'

function world(limit = 2) {
  const clock = testClock()
  const slots = createEndpointSlots(limit, () => clock.now().getTime())
  const call = async (ms: number, succeeded: boolean, { tenant = 'a', url = one } = {}) => {
    const taken = await slots.take(tenant, url)
    clock.advance(ms)
    taken?.end({ ms, succeeded })
    return taken !== undefined
  }
  return { clock, slots, call }
}

test('an endpoint has so many calls under way, and others do not wait for it', async () => {
  const { slots } = world(2)
  const first = await slots.take('a', one)
  await slots.take('a', one)
  let third = false
  const waiting = slots.take('a', one).then(() => {
    third = true
  })
  assert.ok(await slots.take('a', another))
  assert.ok(await slots.take('b', one), 'the same URL of another tenant is another endpoint')
  assert.equal(third, false)
  first!.end()
  await waiting
})

test('one that hangs again and again is left alone, tried every half minute, and back at the first answer', async () => {
  const { call, clock } = world(100)
  for (let hang = 0; hang < 5; hang++) assert.ok(await call(15_000, false))
  assert.equal(await call(0, true), false)
  assert.ok(await call(0, true, { url: another }))
  assert.ok(await call(0, true, { tenant: 'b' }))
  clock.advance(30_000)
  assert.ok(await call(15_000, false), 'one tries')
  assert.equal(await call(0, true), false)
  clock.advance(30_000)
  assert.ok(await call(10, true), 'one tries, and is answered')
  assert.ok(await call(10, true))
})

test('quick failures hold nobody up, and a success in between begins the count anew', async () => {
  const { call } = world()
  for (let failure = 0; failure < 20; failure++) assert.ok(await call(5, false))
  for (let round = 0; round < 3; round++) {
    for (let hang = 0; hang < 4; hang++) assert.ok(await call(15_000, false))
    assert.ok(await call(3_000, true))
  }
})

test('those that wait when it begins to hang are let go at once', async () => {
  const { slots, clock } = world(5)
  const calls = await Promise.all(Array.from({ length: 5 }, () => slots.take('a', one)))
  const waiting = Array.from({ length: 500 }, () => slots.take('a', one))
  clock.advance(15_000)
  for (const call of calls) call!.end({ ms: 15_000, succeeded: false })
  const granted = (await Promise.all(waiting)).filter((call) => call !== undefined)
  assert.ok(granted.length < 5, 'but for those whose turn came before the fifth had hung')
})
