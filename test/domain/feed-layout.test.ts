import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../../src/config/config.ts'
import { createFeedLayout, defaultFeedTopics, parseFeedTopics } from '../../src/domain/feed-layout.ts'

test('in the default layout a topic holds one family', () => {
  const { topics } = createFeedLayout(parseFeedTopics(defaultFeedTopics))
  assert.equal(topics.size, 15)
  for (const [topic, families] of topics) assert.equal(families.size, 1, topic)
})

test('families that are not named keep their default; one topic without a name is for all', () => {
  const { notification, delivery } = parseFeedTopics('delivery=d.{outcome}')
  assert.deepEqual([notification, delivery], ['notification.intents', 'd.{outcome}'])
  const { topics } = createFeedLayout(parseFeedTopics('system.notifications.{outcome}'))
  assert.deepEqual([...topics.get('system.notifications.failed')!].sort(), ['delivery', 'notification'])
  assert.ok(topics.has('system.notifications.sent') && topics.has('system.notifications.breaker_opened'))
})

const faults: [what: string, text: string, says: RegExp][] = [
  ['a family that is none', 'deliveries=a', /families notification, delivery/],
  ['a placeholder that is none', 'delivery=a.{tenant}', /\{tenant\} says nothing/],
  [
    'a channel where there is none',
    'notification.{channel}',
    /\{channel\} says nothing in a topic of the family notification/,
  ],
  ['no topic', 'delivery=', /no name for a topic/],
  ['a name that Kafka does not take', 'system=a b', /no name for a topic/],
  ['a bracket that is left open', 'system=a.{outcome', /no name for a topic/],
]
for (const [what, text, says] of faults) {
  test(`refused at the start: ${what}`, () => {
    assert.throws(() => parseFeedTopics(text), says)
    assert.throws(() => readConfig({ FEED_TOPICS: text }), /FEED_TOPICS/)
  })
}

test('two records in a topic need subjects that tell them apart', () => {
  const env = {
    FEED_TOPICS: 'system.notifications.{outcome}',
    FEED_FORMAT: 'avro',
    SCHEMA_REGISTRY_URL: 'http://localhost:8081',
  }
  assert.throws(() => readConfig(env), /SCHEMA_REGISTRY_SUBJECTS.*meet in the topic/)
  for (const subjects of ['record', 'topic-record']) readConfig({ ...env, SCHEMA_REGISTRY_SUBJECTS: subjects })
  readConfig({ ...env, FEED_FORMAT: 'json' })
  readConfig({ ...env, SCHEMA_REGISTRY_URL: '' })
})
