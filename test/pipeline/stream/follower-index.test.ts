import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intentIdOf } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import type { Follower } from '../../../src/pipeline/stream/follower.ts'
import { type Concern, createFollowerIndex } from '../../../src/pipeline/stream/follower-index.ts'
import { newNotification } from './append-events.ts'

const follower = (tenantId: string, about?: Concern) => ({ tenantId, about }) as Follower
const event = (tenantId: string, subjectId: string, recipient_id?: unknown) =>
  ({ tenantId, subjectId, data: { recipient_id } }) as unknown as StatusEvent

test('an event finds the followers of its tenant, of its recipient and of its story, and no others', () => {
  const index = createFollowerIndex()
  const notification = newNotification()
  const everything = follower('a')
  const ann = follower('a', { recipientId: 'ann' })
  const story = follower('a', { intentId: intentIdOf(notification) })
  const foreign = follower('b', { recipientId: 'ann' })
  for (const one of [everything, ann, story, foreign, follower('a', { recipientId: 'bob' })]) index.add(one)
  const cases: [name: string, event: StatusEvent, found: Follower[]][] = [
    ['of the recipient', event('a', newNotification(), 'ann'), [everything, ann]],
    ['of the story', event('a', notification), [everything, story]],
    ['of both', event('a', notification, 'ann'), [everything, ann, story]],
    ['of neither', event('a', newNotification(), 'carl'), [everything]],
    ['that names no recipient', event('a', newNotification(), 7), [everything]],
    ['of another tenant', event('b', notification, 'ann'), [foreign]],
    ['of a tenant that nobody follows', event('c', notification, 'ann'), []],
  ]
  for (const [name, given, found] of cases) assert.deepEqual([...index.concernedBy(given)], found, name)
})

test('a follower may leave while an event is given out, and the last one takes its tenant along', () => {
  const index = createFollowerIndex()
  const followers = [1, 2, 3].map(() => follower('a', { recipientId: 'ann' }))
  for (const one of [...followers, follower('b')]) index.add(one)
  index.add(followers[0]!)
  assert.equal(index.size, 4)
  const given: Follower[] = []
  for (const one of index.concernedBy(event('a', newNotification(), 'ann'))) {
    given.push(one)
    index.delete(one)
    index.delete(one)
  }
  assert.deepEqual(given, followers)
  assert.deepEqual(index.tenantIds(), ['b'])
  assert.equal(index.size, 1)
  assert.equal([...index.all()].length, 1)
})
