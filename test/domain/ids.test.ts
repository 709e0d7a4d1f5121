import assert from 'node:assert/strict'
import { test } from 'node:test'
import { channels } from '../../src/domain/channel.ts'
import {
  channelOf,
  deliveryId,
  firstIdAt,
  idTimeMs,
  intentIdOf,
  isId,
  isNotificationId,
  lastIdOf,
  notificationId,
  notificationIdOf,
  ordinalOf,
} from '../../src/domain/ids.ts'
import { createIdSource } from '../../src/platform/id-source.ts'

const now = new Date('2026-11-20T09:00:00.123Z')
const clock = { now: () => now }

test('a story is one range of ids: parents are found from their children without a look-up', () => {
  const intent = createIdSource(clock).intentId()
  for (const ordinal of [1, 2, 600_000, 0xffffff]) {
    const notification = notificationId(intent, ordinal)
    assert.equal(intentIdOf(notification), intent)
    assert.equal(ordinalOf(notification), ordinal)
    assert.ok(isNotificationId(notification))
    assert.ok(notification > intent && notification <= lastIdOf(intent))
    for (const channel of channels) {
      const delivery = deliveryId(notification, channel)
      assert.ok(isId(delivery) && !isNotificationId(delivery))
      assert.equal(notificationIdOf(delivery), notification)
      assert.equal(intentIdOf(delivery), intent)
      assert.equal(channelOf(delivery), channel)
      assert.ok(delivery > notification && delivery <= lastIdOf(notification))
    }
  }
})

test('an ordinal that does not fit is refused', () => {
  const intent = createIdSource(clock).intentId()
  for (const ordinal of [0, -1, 1.5, 0x1000000, Number.NaN]) {
    assert.throws(() => notificationId(intent, ordinal), RangeError)
  }
})

test('ids of one process rise and never meet, however many fall into one millisecond', () => {
  const source = createIdSource(clock)
  let last = ''
  for (let count = 0; count < 50_000; count++) {
    const id = source.intentId()
    assert.ok(isId(id), id)
    assert.ok(id > last, `${id} is not after ${last}`)
    last = id
  }
  assert.equal(idTimeMs(last), now.getTime())
})

test('a clock that steps back does not make ids fall', () => {
  let at = now
  const source = createIdSource({ now: () => at })
  const before = source.id()
  at = new Date(now.getTime() - 5_000)
  assert.ok(source.id() > before)
})

test('the first id of a moment is the bound of its partition', () => {
  assert.equal(idTimeMs(firstIdAt(now.getTime())), now.getTime())
  assert.ok(createIdSource(clock).intentId() >= firstIdAt(now.getTime()))
  assert.ok(createIdSource(clock).intentId() < firstIdAt(now.getTime() + 1))
})
