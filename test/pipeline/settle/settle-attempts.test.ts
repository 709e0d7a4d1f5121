import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Channel } from '../../../src/domain/channel.ts'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { Message } from '../../../src/domain/message.ts'
import type { AttemptOutcome } from '../../../src/domain/outcome.ts'
import { createSlots } from '../../../src/pipeline/send/slots.ts'
import { asTenants, statement } from '../../../src/platform/db.ts'
import { replayDeadLetters } from '../../../src/store/dead-letters.ts'
import { createSettling, type DeliverDeps, deliver } from '../../../src/workers/deliver.ts'
import { createWorld, type World, waitingJobs } from '../../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

type Answer = (message: Message) => AttemptOutcome | Promise<AttemptOutcome>
const accepted: AttemptOutcome = { kind: 'accepted', providerMessageId: 'p-1' }
const transient: AttemptOutcome = { kind: 'rejected', reason: 'transient', retryable: true, detail: '451 later' }
const permanent: AttemptOutcome = { kind: 'rejected', reason: 'invalid_recipient', retryable: false, detail: '550 no' }

/** A worker whose providers answer as told. */
function worker(
  answers: Partial<Record<Channel, Answer>>,
  delaysMs = [60_000, 300_000],
): DeliverDeps & { sent: Message[] } {
  const sent: Message[] = []
  const slots = createSlots(10)
  return {
    sent,
    pool: world.worker,
    clock: world.clock,
    catalogue: world.planning.catalogue,
    send: {
      providers: new Map(
        Object.entries(answers).map(([channel, answer]) => [
          channel as Channel,
          {
            name: 'scripted',
            send: async (message: Message) => {
              sent.push(message)
              return answer(message)
            },
          },
        ]),
      ),
      slots: () => slots,
      now: () => world.clock.now(),
      stopping: new AbortController().signal,
      cutOff: new AbortController().signal,
    },
    settling: createSettling({
      pool: world.worker,
      clock: world.clock,
      ids: world.ids,
      settle: { policyOf: () => ({ delaysMs, jitter: 0 }), random: () => 0.5 },
      flush: { rows: 10, ms: 1, maxInFlight: 2, worthOwn: 1 },
      onSettled: () => {},
    }),
  }
}

async function planned(...args: Parameters<World['intent']>) {
  const [intentId] = await world.plan([world.intent(...args)])
  return notificationId(intentId!, 1)
}
const chunk = (ids: string[], redelivered = false) => ({ tenant_id: world.tenant, ids, tries: redelivered ? 1 : 0 })
const stateOf = async (id: string) =>
  (await world.rows('select state, attempt, reason, next_attempt_at from carillon.deliveries where id = $1', [id]))[0]
const attemptsOf = (id: string) =>
  world.rows(
    'select attempt, provider, outcome, reason, detail, possible_duplicate from carillon.delivery_attempts where delivery_id = $1 order by attempt',
    [id],
  )
const eventsOf = async (id: string) =>
  (await world.rows('select type from carillon.status_events where subject_id = $1 order by xid, id', [id])).map(
    ({ type }) => type,
  )

test('an accepted attempt leaves a sent delivery, its attempt and its event', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => accepted }))
  assert.deepEqual(await stateOf(id), { state: 'sent', attempt: 1, reason: null, next_attempt_at: null })
  assert.deepEqual(await attemptsOf(id), [
    { attempt: 1, provider: 'scripted', outcome: 'accepted', reason: null, detail: null, possible_duplicate: false },
  ])
  assert.deepEqual(await eventsOf(id), ['notification.email.requested', 'notification.email.sent'])
})

test('a transient failure waits for its retry in a job of its own; then it is sent', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => transient }))
  const state = await stateOf(id)
  assert.equal(state?.state, 'retrying')
  const job = (await waitingJobs(world, 'deliver-email-bulk')).find(
    ({ data, start_after }) => data.ids.includes(id) && start_after > new Date(),
  )
  assert.ok(job && job.start_after >= state.next_attempt_at)
  await deliver(chunk([id]), worker({ email: () => accepted }))
  assert.equal((await stateOf(id))?.state, 'sent')
  assert.equal((await attemptsOf(id)).length, 2)
})

test('after the last retry the delivery is a dead letter', async () => {
  const id = deliveryId(await planned(), 'email')
  for (let attempt = 0; attempt < 3; attempt++) await deliver(chunk([id]), worker({ email: () => transient }))
  assert.equal((await stateOf(id))?.state, 'failed')
  const letters = await world.rows('select reason, attempts, state from carillon.dead_letters where delivery_id = $1', [
    id,
  ])
  assert.deepEqual(letters, [{ reason: 'transient', attempts: 3, state: 'open' }])
  assert.deepEqual((await eventsOf(id)).slice(-2), ['notification.email.failed', 'notification.dead_lettered'])
})

test('a replayed dead letter waits again with a job of its own, and is sent; one that is not open stays', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => permanent }))
  const before = (await waitingJobs(world, 'deliver-email-bulk')).length
  const replay = () =>
    asTenants(world.api, [world.tenant], (trx) =>
      replayDeadLetters(trx, world.tenant, [id], 'a test', world.clock.now()),
    )
  assert.deepEqual(await replay(), [id])
  assert.deepEqual(await replay(), [])
  assert.equal((await stateOf(id))?.state, 'queued')
  assert.equal((await waitingJobs(world, 'deliver-email-bulk')).length, before + 1)
  await deliver(chunk([id]), worker({ email: () => accepted }))
  assert.equal((await stateOf(id))?.state, 'sent')
  const [letter] = await world.rows('select state, resolved_by from carillon.dead_letters where delivery_id = $1', [id])
  assert.deepEqual(letter, { state: 'replayed', resolved_by: 'a test' })
  await assert.rejects(
    asTenants(world.api, [world.otherTenant], (trx) =>
      replayDeadLetters(trx, world.tenant, [id], 'x', world.clock.now()),
    ),
    (error: { code?: string }) => error.code === '42501',
  )
})

test('a permanent refusal is a dead letter at once, with its reason', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => permanent }))
  assert.deepEqual(await stateOf(id), {
    state: 'failed',
    attempt: 1,
    reason: 'invalid_recipient',
    next_attempt_at: null,
  })
})

test('a channel without a provider fails as misconfigured, and holds back no other', async () => {
  const id = await planned({
    channels: ['email', 'slack'],
    recipients: [{ type: 'user', id: 'a', email: 'a@example.com', slackId: 'U' }],
  })
  const on = worker({ email: () => accepted })
  await Promise.all((['email', 'slack'] as const).map((channel) => deliver(chunk([deliveryId(id, channel)]), on)))
  assert.equal((await stateOf(deliveryId(id, 'email')))?.state, 'sent')
  assert.equal((await stateOf(deliveryId(id, 'slack')))?.reason, 'misconfigured')
})

test('two workers with the same chunk send each delivery once', async () => {
  const intents = await world.plan(Array.from({ length: 40 }, () => world.intent()))
  const ids = intents.map((intentId) => deliveryId(notificationId(intentId, 1), 'email'))
  const on = worker({ email: () => accepted })
  await Promise.all([deliver(chunk(ids), on), deliver(chunk(ids), on), deliver(chunk([...ids].reverse()), on)])
  assert.equal(on.sent.length, 40)
})

test('what a lost worker left in sending is taken over, written down as unknown, and marked a possible duplicate', async () => {
  const id = deliveryId(await planned(), 'email')
  let goOn = () => {}
  const stalled = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const lost = deliver(
    chunk([id]),
    worker({
      email: async () => {
        await reached()
        await stalled
        return transient
      },
    }),
  )
  let reached = async () => {}
  const inSending = new Promise<void>((resolve) => {
    reached = async () => resolve()
  })
  await inSending
  await deliver(chunk([id]), worker({ email: () => accepted })) // the same job, not redelivered: in other hands
  assert.equal((await stateOf(id))?.state, 'sending')
  await deliver(chunk([id], true), worker({ email: () => accepted }))
  goOn()
  await lost // its result comes too late and changes nothing
  assert.deepEqual(await stateOf(id), { state: 'sent', attempt: 2, reason: null, next_attempt_at: null })
  assert.deepEqual(
    (await attemptsOf(id)).map(({ attempt, outcome, possible_duplicate }) => [attempt, outcome, possible_duplicate]),
    [
      [1, 'unknown', false],
      [2, 'accepted', true],
    ],
  )
})

test('after an unknown outcome the next attempt is marked a possible duplicate', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => ({ kind: 'unknown', reason: 'timeout', detail: 'no answer' }) }))
  assert.equal((await stateOf(id))?.reason, 'outcome_unknown')
  await deliver(chunk([id]), worker({ email: () => accepted }))
  assert.equal((await attemptsOf(id))[1]?.possible_duplicate, true)
})

test('a provider that throws is a failed attempt of its own delivery only', async () => {
  const intents = await world.plan([world.intent({ subject: 'bug' }), world.intent()])
  const ids = intents.map((intentId) => deliveryId(notificationId(intentId, 1), 'email'))
  const on = worker({
    email: ({ subject }) => {
      if (subject === 'bug') throw new TypeError('oops ann@example.com')
      return accepted
    },
  })
  await deliver(chunk(ids), on)
  assert.equal((await stateOf(ids[0]!))?.state, 'retrying')
  assert.equal((await stateOf(ids[1]!))?.state, 'sent')
  assert.deepEqual(
    (await attemptsOf(ids[0]!)).map(({ detail }) => detail),
    ['the provider failed: TypeError'],
  )
})

test('what a provider says is stored whatever is in it', async () => {
  const id = deliveryId(await planned(), 'email')
  const detail = `${'x'.repeat(199)}\u{1f600} and a \0`
  await deliver(chunk([id]), worker({ email: () => ({ ...permanent, detail }) }))
  assert.deepEqual(
    (await attemptsOf(id)).map((attempt) => attempt.detail),
    [`${'x'.repeat(199)}\ufffd`],
  )
})

test('a claim waits for whoever holds a row: were it passed over, it would be lost with its job', async () => {
  const id = deliveryId(await planned(), 'email')
  const holder = await world.admin.connect()
  await holder.query('begin')
  await holder.query('select 1 from carillon.deliveries where id = $1 for update', [id])
  const on = worker({ email: () => accepted })
  const delivering = deliver(chunk([id]), on)
  await holder.query('rollback')
  holder.release()
  await delivering
  assert.equal((await stateOf(id))?.state, 'sent')
})

test('the mark of a possible duplicate outlives a failed attempt in between', async () => {
  const id = deliveryId(await planned(), 'email')
  await deliver(chunk([id]), worker({ email: () => ({ kind: 'unknown', reason: 'timeout', detail: 'no answer' }) }))
  await deliver(chunk([id]), worker({ email: () => transient }))
  await deliver(chunk([id]), worker({ email: () => accepted }))
  assert.deepEqual(
    (await attemptsOf(id)).map((attempt) => attempt.possible_duplicate),
    [false, true, true],
  )
})

test('an expired delivery is not sent, uses no attempt, and says so', async () => {
  const id = deliveryId(await planned({}, { expiresAt: new Date(Date.now() + 60_000).toISOString() }), 'email')
  const late = { now: () => new Date(Date.now() + 120_000) }
  const on = { ...worker({ email: () => accepted }), clock: late }
  await deliver(chunk([id]), on)
  assert.equal(on.sent.length, 0)
  assert.deepEqual(await stateOf(id), { state: 'expired', attempt: 0, reason: 'expired', next_attempt_at: null })
  assert.deepEqual(await attemptsOf(id), [])
})

test('while the process stops, what has not been sent is handed back with a job of its own', async () => {
  const id = deliveryId(await planned(), 'email')
  const on = worker({ email: () => accepted })
  await deliver(chunk([id]), { ...on, send: { ...on.send, stopping: AbortSignal.abort() } })
  assert.equal(on.sent.length, 0)
  assert.deepEqual(await stateOf(id), { state: 'queued', attempt: 0, reason: null, next_attempt_at: null })
  assert.equal((await waitingJobs(world, 'deliver-email-bulk')).filter(({ data }) => data.ids.includes(id)).length, 2)
})

test('an in-app notification lies in the inbox with its counters, once', async () => {
  const id = await planned({ channels: ['in_app'], recipients: [{ type: 'user', id: 'inbox-1' }] })
  await Promise.all([1, 2, 3].map(() => deliver(chunk([deliveryId(id, 'in_app')]), worker({}))))
  const items = await world.rows('select title, body from carillon.inbox_items where id = $1', [id])
  assert.deepEqual(items, [{ title: 'Hello', body: 'Hello, Ann' }])
  const counters = await world.rows('select unread, unseen from carillon.inbox_counters where recipient_id = $1', [
    'inbox-1',
  ])
  assert.deepEqual(counters, [{ unread: 1, unseen: 1 }])
})

const withFallback = (fields?: Parameters<typeof planned>[1]) =>
  planned(
    {
      channels: ['email', 'slack', 'audit'],
      fallbackChannels: ['telegram', 'in_app'],
      recipients: [{ type: 'user', id: 'f', email: 'f@example.com', slackId: 'U', telegramId: '7' }],
    },
    fields,
  )

test('a fallback is released only when every channel asked for has failed, by whichever worker fails last', async () => {
  const id = await withFallback()
  const on = worker({ email: () => permanent, slack: () => permanent })
  await deliver(chunk([deliveryId(id, 'email')]), on)
  assert.equal((await stateOf(deliveryId(id, 'telegram')))?.state, 'held')
  await deliver(chunk([deliveryId(id, 'slack')]), on)
  assert.equal((await stateOf(deliveryId(id, 'telegram')))?.state, 'snoozed', 'the gates are asked of it first')
  assert.equal((await stateOf(deliveryId(id, 'in_app')))?.state, 'held')
})

test('a CRITICAL fallback goes out without being decided again', async () => {
  const id = await withFallback({ priority: 3 })
  const on = worker({ email: () => permanent, slack: () => permanent })
  for (const channel of ['email', 'slack'] as const) await deliver(chunk([deliveryId(id, channel)]), on)
  assert.equal((await stateOf(deliveryId(id, 'telegram')))?.state, 'queued')
  const jobs = await waitingJobs(world, 'deliver-telegram-critical')
  assert.equal(jobs.filter(({ data }) => data.ids.includes(deliveryId(id, 'telegram'))).length, 1)
})

test('two last failures at once release one fallback', async () => {
  for (let round = 0; round < 5; round++) {
    const id = await withFallback()
    const on = worker({ email: () => permanent, slack: () => permanent })
    await Promise.all((['email', 'slack'] as const).map((channel) => deliver(chunk([deliveryId(id, channel)]), on)))
    assert.equal((await stateOf(deliveryId(id, 'telegram')))?.state, 'snoozed')
    const waiting = await world.rows('select until from carillon.snoozes where delivery_id = $1', [
      deliveryId(id, 'telegram'),
    ])
    assert.equal(waiting.length, 1)
  }
})

test('a fallback stays where a channel asked for has gone through', async () => {
  const id = await withFallback()
  const on = worker({ email: () => accepted, slack: () => permanent })
  for (const channel of ['email', 'slack'] as const) await deliver(chunk([deliveryId(id, channel)]), on)
  assert.equal((await stateOf(deliveryId(id, 'telegram')))?.state, 'held')
})

test('an endpoint that says it is gone is switched off, and the next delivery to it is not tried', async () => {
  const to = {
    channels: ['webhook' as const],
    recipients: [{ type: 'user' as const, id: 'w', webhookUrl: 'https://gone.example.com/' }],
  }
  const gone: AttemptOutcome = { kind: 'rejected', reason: 'endpoint_disabled', retryable: false, detail: '410' }
  const on = worker({ webhook: () => gone })
  await deliver(chunk([deliveryId(await planned(to), 'webhook')]), on)
  const second = deliveryId(await planned(to), 'webhook')
  await deliver(chunk([second]), on)
  assert.equal(on.sent.length, 1)
  assert.equal((await stateOf(second))?.reason, 'endpoint_disabled')
})

test('a template is rendered per channel; a missing value fails its delivery by name and no other', async () => {
  await world.admin.query(
    `insert into carillon.templates (tenant_id, id, name, version, channels, created_at, updated_at)
     values ($1, $2, 'shipped', '1', $3, now(), now())`,
    [
      world.tenant,
      world.ids.id(),
      {
        email: {
          subject: 'Order <%= it.order %>',
          body: 'Hi <%= it.recipient.name %>',
          body_html: '<p><%= it.order %></p>',
        },
      },
    ],
  )
  const say = (data: Record<string, unknown>) =>
    planned({
      template: 'shipped',
      subject: undefined,
      body: undefined,
      data,
      recipients: [{ type: 'user', id: 'n', name: 'Nia', email: 'n@example.com' }],
    })
  const good = deliveryId(await say({ order: '<A&1>' }), 'email')
  const bad = deliveryId(await say({}), 'email')
  const on = worker({ email: () => accepted })
  await deliver(chunk([good, bad]), on)
  assert.deepEqual(
    on.sent.map(({ subject, body, bodyHtml }) => [subject, body, bodyHtml]),
    [['Order <A&1>', 'Hi Nia', '<p>&lt;A&amp;1&gt;</p>']],
  )
  assert.equal((await stateOf(bad))?.reason, 'render_failed')
  assert.equal((await attemptsOf(bad))[0]?.detail, 'template shipped: a value is missing')
})

test('claiming and settling find deliveries by primary key, and never compare every row with every other', async () => {
  const ids = Array.from({ length: 500 }, () => deliveryId(notificationId(world.ids.intentId(), 1), 'email'))
  const bounds = `'${ids[0]}', '${ids.at(-1)}'`
  const array = `'{${ids.join()}}'`
  for (const [name, parameters] of [
    ['send/claim_deliveries', `'${world.tenant}', ${array}, ${bounds}, now(), 1, false`],
    [
      'settle/settle_attempts',
      `'${world.tenant}', now(), ${array}, ${bounds}, ${"'{}', ".repeat(15)} '${world.ids.batchId()}', '[]', 0`,
    ],
  ] as const) {
    const client = await world.admin.connect()
    try {
      await client.query(
        `set role carillon_worker; set enable_nestloop = off; prepare planned as ${statement(name).text}`,
      )
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain execute planned (${parameters})`)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      assert.match(plan, /Index Scan using deliveries_\d+_pkey/, plan)
      assert.doesNotMatch(plan, /Seq Scan on deliveries_|Join Filter: \(d_1\.id/, plan)
    } finally {
      client.release(true)
    }
  }
})
