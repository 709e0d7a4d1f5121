import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventTypeOf, eventTypes } from '../../src/domain/event-types.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** `notification.${channel}.sent` stands for every channel, `notification.${outcome}` for whatever fits. */
const literal = /['"`]((?:notification|carillon)(?:\.(?:[a-z_]+|\$\{[^}`]*\}))+)['"`]/g
/** What has the same look: what is in the schema, settings of Postgres, locks, topics; a test call, which is in no log. */
const elsewhere =
  /^carillon\.[a-z_]+$|^carillon\.webhook\.test$|^carillon\.lane\.|^carillon\.unsubscribe\.|^notification\.(intents|dlq)\b/

test('every type that the code or SQL can write is in the table', async () => {
  const found = new Set<string>()
  for await (const path of glob(['src/**/*.ts', 'sql/**/*.sql'], { cwd: root })) {
    if (/event-types\.ts|feed-layout\.ts|schema\.sql/.test(path)) continue
    const text = await readFile(`${root}/${path}`, 'utf8')
    for (const [, type = ''] of text.matchAll(literal)) if (!elsewhere.test(type)) found.add(type)
  }
  assert.ok(found.size >= 12, [...found].join(' '))
  for (const type of found) {
    const pattern = new RegExp(`^${type.replaceAll('.', '\\.').replaceAll(/\$\{.*?\}(?=\\\.|$)/g, '[a-z_]+')}$`)
    assert.ok(
      eventTypes.some((known) => pattern.test(known.type)),
      `${type} is not in src/domain/event-types.ts`,
    )
  }
})

test('what the feed promises is in the table', () => {
  const promised = [
    'notification.intent.received',
    'notification.intent.enriched',
    ...['requested', 'sent', 'delivered', 'failed', 'bounced', 'suppressed', 'snoozed', 'opened', 'clicked'].map(
      (outcome) => `notification.email.${outcome}`,
    ),
    'notification.digest.closed',
    'notification.dead_lettered',
    'notification.replayed',
    'carillon.breaker.opened',
    'carillon.template.quarantined',
    'carillon.quota.reached',
  ]
  for (const type of promised) assert.ok(eventTypeOf(type), type)
})

test('every type is in the manual', async () => {
  const manual = await readFile(`${root}/docs/kafka.md`, 'utf8')
  for (const { type, channel, tells } of eventTypes) {
    const name = channel ? type.replace(`.${channel}.`, '.<channel>.') : type
    assert.ok(manual.includes(`\`${name}\``) && manual.includes(`| ${tells} |`), name)
  }
})

test('types are said once, and their words are fit for topics', () => {
  assert.equal(new Set(eventTypes.map(({ type }) => type)).size, eventTypes.length)
  for (const { outcome } of eventTypes) assert.match(outcome, /^[a-z_]+$/)
})
