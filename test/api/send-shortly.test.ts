import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GraphQLFormattedError } from 'graphql'
import { pino } from 'pino'
import type { ApiServices, Caller } from '../../src/api/graphql/context.ts'
import { createSendShortly, type Operation } from '../../src/api/graphql/send-shortly.ts'
import { createGraphql } from '../../src/api/http/graphql-endpoint.ts'
import { readConfig } from '../../src/config/config.ts'
import type { AcceptAnswer, NewIntent } from '../../src/domain/intent.ts'
import { ShuttingDownError } from '../../src/pipeline/accept/coalescer.ts'
import { readPlainly } from '../../src/pipeline/accept/plain-send.ts'
import { sendInput } from '../../src/pipeline/accept/validate-send.ts'
import { createIdSource } from '../../src/platform/id-source.ts'
import { testClock } from '../support/test-clock.ts'

/*
 * What is answered shortly and what the executor answers must be the same, whatever is sent. Inputs are put together at
 * random, from a fixed seed, out of values that pass and values that do not; nothing is read or stored.
 */

const clock = testClock()
const inMs = (ms: number) => new Date(clock.now().getTime() + ms).toISOString()
const deep = (levels: number): object => (levels === 0 ? {} : { in: deep(levels - 1) })

function chance(seed: number) {
  let state = seed
  const below = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const pick = <T>(values: readonly T[]): T => values[below(values.length)]!
  return { below, pick }
}

const oddities: unknown[] = [null, 1, true, '', 'x', [], {}, ['x'], [null], { a: 1 }, '\0', '\ud800', 'a\nb']
const texts: unknown[] = ['x', 'a text', 'ä🔔', '', 'a\nb', 'a\0', '\ud800', 'a'.repeat(256), '🔔'.repeat(255), null, 5]

const recipientFields: Record<string, unknown[]> = {
  type: ['USER', 'ROLE', 'GROUP', 'SYSTEM', 'user', null, 7],
  id: ['ann', '', 'a'.repeat(256), null],
  email: ['ann@example.com', 'a b@c', 'a@b\r\nBcc: x', null],
  phone: ['+49 170', 'x'.repeat(2_049), ''],
  name: texts,
  slackId: texts,
  telegramId: ['@ann'],
  discordId: ['ann#1'],
  webhookUrl: ['https://example.com/a', 'ftp://x', 'https://', `https://example.com/${'é'.repeat(1_100)}`],
  locale: ['de', 'not a locale', ''],
  timezone: ['Europe/Berlin', 'Mars/Base', '+02:00'],
  unknown: ['x'],
}

const attachments = [{ filename: 'a', contentBase64: 'aGk=' }, { filename: 'a' }, { contentBase64: 'aGk=' }]
const inputFields: Record<string, unknown[]> = {
  idempotencyKey: ['new', 'duplicate', 'conflict', 'stopping', 'refused', '', 'k'.repeat(256)],
  eventId: texts,
  type: ['commerce.order.shipped', 'a b', '', 'a'.repeat(201), 5, null],
  channels: [['EMAIL'], ['EMAIL', 'IN_APP'], [], 'EMAIL', ['PIGEON'], ['email'], [null], Array(13).fill('SMS')],
  fallbackChannels: [['SMS'], [], null, 'SMS'],
  priority: ['LOW', 'NORMAL', 'HIGH', 'CRITICAL', 'low', 1, null],
  category: texts,
  template: ['hello', '', null],
  subject: ['Hello', 'a\nb', '', null],
  body: ['Hello', 'a\0', '', null],
  bodyHtml: ['<p>', null],
  data: [{ a: [{ b: 1.5 }], ключ: 'ä' }, [], 'x', { a: '\0' }, { 'a\0': 1 }, deep(63), deep(64), null],
  metadata: [{ a: null }, 5, { __proto__: { x: 1 } }],
  email: [{ cc: ['a@b.c'] }, { cc: ['x'] }, { cc: 'a@b.c' }, { attachments }, { replyTo: null }, null],
  scheduledAt: [inMs(60_000), inMs(-60_000), inMs(367 * 86_400_000), '2026-02-30T10:00:00Z', 5],
  expiresAt: [inMs(90_000), inMs(-1), 'tomorrow'],
  correlationId: texts,
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'nonsense', 5],
  more: ['x'],
  toString: ['x'],
}

type Chance = ReturnType<typeof chance>

/** Mostly what passes, which stands first, so that whole inputs pass often enough. */
function choose({ below, pick }: Chance, values: readonly unknown[]): unknown {
  const turn = below(40)
  if (turn === 0) return pick(oddities)
  return turn < 25 ? values[0] : pick(values)
}

function someOf(by: Chance, fields: Record<string, unknown[]>, unusual: readonly string[]): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const [name, values] of Object.entries(fields)) {
    if (by.below(unusual.includes(name) ? 60 : 8) === 0) made[name] = choose(by, values)
  }
  return made
}

const recipientOf = (by: Chance): unknown =>
  by.below(30) === 0 ? by.pick(oddities) : { id: 'ann', ...someOf(by, recipientFields, ['unknown', 'type']) }

function inputOf(by: Chance): unknown {
  if (by.below(60) === 0) return by.pick(oddities)
  const made = someOf(by, inputFields, ['more', 'toString', 'template', 'email'])
  const recipients = by.pick<Record<string, unknown>>([
    { recipient: recipientOf(by) },
    { recipient: recipientOf(by) },
    { recipient: { email: 'ann@example.com', name: 'Ann' } },
    { recipients: [recipientOf(by), recipientOf(by)] },
    { recipients: by.pick<unknown>([[], [null], recipientOf(by)]) },
    by.pick([{}, { recipient: { id: 'ann' } }]),
  ])
  const idempotencyKey = by.pick(['new', 'duplicate', 'conflict', 'refused', 'stopping', undefined, undefined])
  const given: Record<string, unknown> = { idempotencyKey, type: 'a.b', subject: 'Hello', ...recipients, ...made }
  if (by.below(20) === 0) given.type = undefined
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const eventFields: Record<string, unknown[]> = {
  id: ['evt', 'duplicate', 'conflict', '', 5],
  type: ['a.b', 'a b'],
  domain: texts,
  source: texts,
  occurredAt: [inMs(0), 'tomorrow', 5],
  data: [{ a: 1 }, [], null],
  correlationId: texts,
  more: ['x'],
}
const eventOf = (by: Chance): unknown => ({
  id: by.pick(['e', 'duplicate', 'conflict', 'refused', 'stopping']),
  type: 'a.b',
  data: {},
  ...someOf(by, eventFields, ['more']),
})

const everything = `id intentId eventId type category correlationId recipientType recipientId subject body bodyHtml data
  metadata priority channels status scheduledAt expiresAt createdAt traceId __typename`
const results = [
  'intentId status error { code }',
  '__typename id: intentId status error { code message path } notifications { id status recipientId }',
  `...a status fragmentless: status ... on SendResult { notifications { ${everything} } } }
   fragment a on SendResult { intentId notifications { id ...b } } fragment b on Notification { type`,
  'status notifications { id deliveries { id } readAt }',
  'status notifications { id template { name } selectedChannel }',
]
const notifications = [
  'id status',
  everything,
  'id ...a } fragment a on Notification { status subject',
  'id sentAt error',
]

/** A directive is nothing that is answered shortly. */
const operations: [name: string, argument: string, type: string, selections: string[]][] = [
  ['sendNotification', 'input', 'SendNotificationInput!', notifications],
  ['sendNotifications', 'inputs', '[SendNotificationInput!]!', results],
  ['publishEvent', 'input', 'EventInput!', results],
  ['publishEvents', 'inputs', '[EventInput!]!', results],
]

/** Accepts in memory, by what the key says, and keeps what it is given. */
function createSide() {
  const submitted: NewIntent[][] = []
  const ids = createIdSource(clock)
  const intentId = ids.intentId()
  const statuses: Record<string, AcceptAnswer['status']> = { duplicate: 'duplicate', conflict: 'conflict' }
  const away = async () => {
    throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
  }
  const services = {
    config: readConfig({ NODE_ENV: 'test', GRAPHQL_MAX_COST: '100' }),
    clock,
    logger: pino({ level: 'silent' }),
    pool: { connect: away },
    accept: {
      async submit(intents: readonly NewIntent[]): Promise<AcceptAnswer[]> {
        submitted.push([...intents])
        if (intents.some(({ idempotencyKey }) => idempotencyKey === 'stopping')) throw new ShuttingDownError()
        if (intents.some(({ idempotencyKey }) => idempotencyKey === 'refused')) throw new Error('a secret')
        return intents.map(({ idempotencyKey }) => ({ status: statuses[idempotencyKey ?? ''] ?? 'accepted', intentId }))
      },
    },
  } as unknown as ApiServices
  return { services, submitted, intentId }
}

const caller: Caller = {
  principal: { tenantId: '0190a1b2-c3d4-7000-8000-00000000be0c', keyId: 'k', scopes: new Set(['send']) },
  stillStands: async () => true,
}

const side = createSide()
const yoga = createGraphql(side.services)
const sendShortly = createSendShortly(side.services, (query) => {
  const engine = yoga.getEnveloped({} as Parameters<typeof yoga.getEnveloped>[0])
  const document = engine.parse(query)
  return engine.validate(engine.schema, document).length === 0 ? document : undefined
})

interface Outcome {
  answer: unknown
  submitted: unknown
}

/** Ids of faults of ours are made up, and differ. */
function outcomeOf(answer: { data?: unknown; errors?: readonly GraphQLFormattedError[] }): Outcome {
  const text = JSON.stringify({ answer, submitted: side.submitted.splice(0) })
  const made = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g
  return JSON.parse(text.replaceAll(made, 'made up')) as Outcome
}

async function generally(params: Operation, services?: ApiServices, as = caller): Promise<Outcome> {
  const request = { method: 'POST', headers: new Headers() } as Request
  const context = { caller: as, services, request } as never
  return outcomeOf((await yoga.getResultForParams({ params: params as never, request }, context)) as object)
}

async function shortly(operation: Operation, as = caller): Promise<Outcome & { how: 'shortly' | 'again' | 'not' }> {
  const short = await sendShortly(operation, as)
  if (!short) return { how: 'not', ...(await generally(operation, undefined, as)) }
  if ('data' in short) return { how: 'shortly', ...outcomeOf(short) }
  return { how: 'again', ...(await generally(operation, short.services, as)) }
}

describe('what is answered shortly is what the executor answers', () => {
  for (const [name, argument, type, selections] of operations) {
    it(`to ${name}, whatever is sent`, async () => {
      const by = chance(name.length)
      const oneOf = () => (name.startsWith('send') ? inputOf(by) : eventOf(by))
      const hows = { shortly: 0, again: 0, not: 0 }
      for (let turn = 0; turn < 1_500; turn++) {
        const selection = by.pick(selections)
        const query = `mutation Name($one: ${type}) { ${by.pick(['', 'key: '])}${name}(${argument}: $one) { ${selection} } }`
        const many = Array.from({ length: by.below(4) }, oneOf)
        const one = argument === 'input' ? oneOf() : by.below(50) === 0 ? oneOf() : many
        const variables = by.below(50) === 0 ? by.pick<Operation['variables']>([{}, null, { one, two: 1 }]) : { one }
        const operation = { query, variables, operationName: by.pick([undefined, null, 'Name', 'Name', '', 'Other']) }
        const { how, ...outcome } = await shortly(operation)
        hows[how]++
        const sent = JSON.stringify({ turn, ...operation })
        // The same request, and only once: nothing is submitted again to tell of it.
        assert.deepEqual(outcome, await generally(operation), sent)
      }
      for (const [how, count] of Object.entries(hows)) assert.ok(count > 30, `${how}: ${count} of 1500`)
    })
  }

  it('where the key may not send, the cost is too high, or there are too many', async () => {
    const query = `mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { status intentId } }`
    const input = { type: 'a.b', subject: 'a', recipient: { id: 'a' } }
    const reader = { ...caller, principal: { ...caller.principal, scopes: new Set(['read'] as const) } }
    const cases: [number, Caller, 'shortly' | 'not'][] = [
      [3, caller, 'shortly'],
      [3, reader, 'not'],
      [490, caller, 'shortly'],
      [491, caller, 'not'],
      [1_001, caller, 'not'],
    ]
    for (const [count, as, expected] of cases) {
      const operation = { query, variables: { inputs: Array(count).fill(input) } }
      const { how, ...outcome } = await shortly(operation, as)
      assert.equal(how, expected, `${count}`)
      assert.deepEqual(outcome, await generally(operation, undefined, as))
    }
  })

  it('where JSON is deeper than an executor can go', async () => {
    const query = `mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { status } }`
    const data = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as object
    const operation = { query, variables: { inputs: [{ type: 'a.b', subject: 'a', recipient: { id: 'a' }, data }] } }
    const { how, ...outcome } = await shortly(operation)
    assert.equal(how, 'not')
    assert.deepEqual(outcome, await generally(operation))
  })
})

describe('other operations are not answered shortly:', () => {
  const input = { type: 'a.b', subject: 'a', recipient: { id: 'a' } }
  const sent = '(input: $input) { id }'
  const cases: [name: string, query: string][] = [
    [
      'two fields',
      `mutation ($input: SendNotificationInput!) { a: sendNotification${sent} b: sendNotification${sent} }`,
    ],
    ['a default', `mutation ($input: SendNotificationInput! = { type: "a" }) { sendNotification${sent} }`],
    ['a literal', `mutation { sendNotification(input: { type: "a", subject: "a", recipient: { id: "a" } }) { id } }`],
    [
      'a directive',
      `mutation ($input: SendNotificationInput!) { sendNotification(input: $input) @skip(if: false) { id } }`,
    ],
    [
      'one within',
      `mutation ($input: SendNotificationInput!) { sendNotification(input: $input) { id @skip(if: true) type } }`,
    ],
    ['two operations', `mutation ($input: SendNotificationInput!) { sendNotification${sent} } query B { __typename }`],
    [
      'what is not valid',
      `mutation ($input: SendNotificationInput!) { sendNotification(input: $input) { sendNotification } }`,
    ],
    ['a query', `query sendNotification { __typename }`],
  ]
  for (const [name, query] of cases) {
    it(name, async () => {
      const { how, ...outcome } = await shortly({ query, variables: { input } })
      assert.equal(how, 'not')
      assert.deepEqual(outcome, await generally({ query, variables: { input } }))
    })
  }
})

describe('an input that is judged without zod', () => {
  it('is one that zod takes, and means the same', () => {
    const by = chance(7)
    const inner: Record<string, unknown[]> = { ...inputFields, priority: [1, null], channels: [['email'], null] }
    let plain = 0
    for (let turn = 0; turn < 5_000; turn++) {
      const recipients = by.pick([{ recipient: recipientOf(by) }, { recipients: [recipientOf(by)] }])
      const input = { type: 'a.b', ...recipients, ...someOf(by, { ...inner, type: ['a.b', 'a b'] }, ['more', 'email']) }
      const read = readPlainly(input)
      if (!read) continue
      plain++
      const careful = sendInput.safeParse(input)
      assert.ok(careful.success, JSON.stringify(input))
      const plainly = (value: object) => JSON.parse(JSON.stringify({ ...value, priority: 0 })) as object
      assert.deepEqual(plainly(read), plainly(careful.data))
    }
    assert.ok(plain > 500, `${plain}`)
  })
})
