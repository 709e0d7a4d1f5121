import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import { processIntents } from '../../../src/workers/process-intents.ts'
import { createWorld, type World, waitingJobs } from '../../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

const notificationsOf = (intentId: string) =>
  world.rows<{ id: string; outcome: string | null; reason: string | null; recipient_id: string; channels: string[] }>(
    'select id, outcome, reason, recipient_id, channels from carillon.notifications where carillon.intent_id_of(id) = $1 order by id',
    [intentId],
  )

test('a chunk planned by two workers at once is planned once', async () => {
  const answers = await world.accept(Array.from({ length: 50 }, () => world.intent()))
  const chunk = { tenant_id: world.tenant, ids: answers.map(({ intentId }) => intentId) }
  await Promise.all([processIntents(chunk, world.planning), processIntents(chunk, world.planning)])
  await processIntents(chunk, world.planning)
  const [counts] = await world.rows(
    `select (select count(*)::int from carillon.notifications where carillon.intent_id_of(id) = any ($1)) as notifications,
            (select count(*)::int from carillon.deliveries where carillon.intent_id_of(id) = any ($1)) as deliveries,
            (select count(*)::int from carillon.audit_log where carillon.intent_id_of(id) = any ($1)) as lines,
            (select count(*)::int from carillon.status_events where type = 'notification.email.requested'
               and carillon.intent_id_of(subject_id) = any ($1)) as events`,
    [chunk.ids],
  )
  assert.deepEqual(counts, { notifications: 50, deliveries: 50, lines: 50, events: 50 })
  const queued = (await waitingJobs(world, 'deliver-email-bulk')).flatMap(({ data }) => data.ids)
  assert.equal(new Set(queued).size, queued.length)
})

test('every recipient of a request gets a notification of its own', async () => {
  const [intentId] = await world.plan([
    world.intent({ recipients: ['a', 'b', 'c'].map((id) => ({ type: 'user', id, email: `${id}@example.com` })) }),
  ])
  assert.deepEqual(
    (await notificationsOf(intentId!)).map(({ id, recipient_id }) => [id, recipient_id]),
    ['a', 'b', 'c'].map((id, index) => [notificationId(intentId!, index + 1), id]),
  )
})

test('the members of a role are notified page by page, each once, the first under the id that was answered', async () => {
  await world.admin.query(
    `insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
     select $1, 'm' || n, '{ops}', now(), now() from generate_series(1, 8) n`,
    [world.tenant],
  )
  await world.admin.query(
    `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at)
     select $1, 'm' || n, 'email', 'm' || n || '@example.com', now() from generate_series(1, 8) n`,
    [world.tenant],
  )
  const planning = { ...world.planning, recipientsPerChunk: 3 }
  const [answer] = await world.accept([
    world.intent({
      recipients: [
        { type: 'role', id: 'ops' },
        { type: 'user', id: 'z', email: 'z@example.com' },
      ],
    }),
  ])
  const intentId = answer!.intentId
  const first = { tenant_id: world.tenant, ids: [intentId] }
  await processIntents(first, planning)
  await world.admin.query(
    `insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at) values ($1, 'm0', '{ops}', now(), now())`,
    [world.tenant],
  )
  await processIntents(first, planning) // again, after the membership has changed
  for (let page = 0; page < 5; page++) {
    const job = (await waitingJobs(world)).findLast(({ data }) => data.ids[0] === intentId && 'after' in data)
    if (!job) break
    await processIntents(job.data, planning)
    await processIntents(job.data, planning) // a page that comes again doubles nobody
    await world.admin.query(`update pgboss.job set state = 'completed' where data = $1`, [JSON.stringify(job.data)])
  }
  const planned = await notificationsOf(intentId)
  assert.deepEqual(planned.map(({ recipient_id }) => recipient_id).sort(), [
    ...Array.from({ length: 8 }, (_, index) => `m${index + 1}`),
    'z',
  ])
  assert.equal(planned.find(({ id }) => id === notificationId(intentId, 1))?.recipient_id, 'm1')
})

test('a chunk takes on no more recipients than one transaction should, and the rest goes on by itself', async () => {
  const people = (name: string) =>
    ['1', '2'].map((n) => ({ type: 'user' as const, id: name + n, email: `${name}${n}@example.com` }))
  const answers = await world.accept(['p', 'q', 'r'].map((name) => world.intent({ recipients: people(name) })))
  const ids = answers.map(({ intentId }) => intentId)
  const planning = { ...world.planning, recipientsPerChunk: 2 }
  await processIntents({ tenant_id: world.tenant, ids }, planning)
  const goingOn = async () =>
    (await waitingJobs(world))
      .filter(({ data }) => 'after' in data && ids.includes(data.ids[0]!))
      .map(({ data }) => data)
  const [rest, ...others] = await goingOn()
  assert.deepEqual([rest?.ids, others], [ids.slice(1), []])
  await processIntents(rest!, planning)
  const [last] = (await goingOn()).filter(({ ids }) => ids.length === 1)
  assert.deepEqual(last?.ids, ids.slice(2))
  await processIntents(last!, planning)
  for (const id of ids) assert.equal((await notificationsOf(id)).length, 2)
})

const outcomes: [string, Parameters<World['intent']>, string, string][] = [
  [
    'a role without members is told as such',
    [{ recipients: [{ type: 'role', id: 'nobody' }] }],
    'suppressed',
    'no_recipients',
  ],
  [
    'an unknown template fails the notification',
    [{ template: 'nope', subject: undefined, body: undefined }],
    'failed',
    'template_not_found',
  ],
  [
    'a recipient without an address is suppressed',
    [{ recipients: [{ type: 'user', id: 'x' }] }],
    'suppressed',
    'no_address',
  ],
]
for (const [name, args, outcome, reason] of outcomes) {
  test(name, async () => {
    const [intentId] = await world.plan([world.intent(...args)])
    const [planned] = await notificationsOf(intentId!)
    assert.deepEqual([planned?.outcome, planned?.reason], [outcome, reason])
  })
}

test('past its expiry a notification is planned as expired, with its event and nothing to send', async () => {
  const [intentId] = await world.plan([world.intent({}, { expiresAt: new Date(Date.now() - 1_000).toISOString() })])
  const [planned] = await notificationsOf(intentId!)
  assert.equal(planned?.outcome, 'expired')
  const events = await world.rows('select type from carillon.status_events where subject_id = $1', [planned.id])
  assert.deepEqual(events, [{ type: 'notification.expired' }])
  assert.deepEqual(
    await world.rows('select 1 from carillon.deliveries where carillon.intent_id_of(id) = $1', [intentId]),
    [],
  )
})

test('an event that no rule wants is stored and marked unmatched, once', async () => {
  const event = world.intent({ recipients: undefined, channels: undefined }, { kind: 'event', eventId: 'e-1' })
  const [intentId] = await world.plan([event])
  await processIntents({ tenant_id: world.tenant, ids: [intentId!] }, world.planning)
  assert.deepEqual(await world.rows('select outcome from carillon.intents where id = $1', [intentId]), [
    { outcome: 'unmatched' },
  ])
  const events = await world.rows(
    `select 1 from carillon.status_events where subject_id = $1 and type = 'notification.intent.unmatched'`,
    [intentId],
  )
  assert.equal(events.length, 1)
})

const enriched = async (intentId: string) =>
  (
    await world.rows<{ data: Record<string, unknown> }>(
      `select data from carillon.status_events where subject_id = $1 and type = 'notification.intent.enriched'`,
      [intentId],
    )
  ).map(({ data }) => data)

test('an intent is told of as enriched once, before its deliveries, with whom it reaches', async () => {
  const people = [{ id: 'a', email: 'a@example.com' }, { id: 'b' }, { id: 'c', email: 'c@example.com' }]
  const intent = world.intent(
    { recipients: people.map((person) => ({ type: 'user', ...person })) },
    { category: 'news', idempotencyKey: 'enriched-1' },
  )
  const [intentId] = await world.plan([intent, world.intent()])
  await processIntents({ tenant_id: world.tenant, ids: [intentId!] }, world.planning)
  const story = { type: 'test.happened', category: 'news', idempotency_key: 'enriched-1' }
  assert.deepEqual(await enriched(intentId!), [{ ...story, recipients: 3, notifications: 2, stopped: 1 }])
  const events = await world.rows<{ type: string }>('select type from carillon.events_of($1)', [intentId])
  assert.deepEqual(
    events.slice(0, 3).map(({ type }) => type),
    ['notification.intent.received', 'notification.intent.enriched', 'notification.email.requested'],
  )
})

test('of a big intent the first page tells, however often and beside whatever its pages are planned', async () => {
  await world.admin.query(
    `insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
     select $1, 'crew' || n, '{crew}', now(), now() from generate_series(1, 7) n`,
    [world.tenant],
  )
  const planning = { ...world.planning, recipientsPerChunk: 3 }
  const [answer, other] = await world.accept([
    world.intent({ recipients: [{ type: 'role', id: 'crew' }], channels: ['in_app'] }),
    world.intent(),
  ])
  const intentId = answer!.intentId
  const first = { tenant_id: world.tenant, ids: [intentId] }
  await Promise.all([processIntents(first, planning), processIntents(first, planning)])
  // Together with an intent that is new, so that the chunk is planned in part.
  await processIntents(
    { tenant_id: world.tenant, ids: [intentId, other!.intentId] },
    { ...planning, recipientsPerChunk: 10 },
  )
  const rest = (await waitingJobs(world)).filter(({ data }) => 'after' in data && data.ids[0] === intentId)
  for (const { data } of rest) await processIntents(data, planning)
  const numbers = { recipients: 3, notifications: 3, stopped: 0, continues: true }
  assert.deepEqual(await enriched(intentId), [{ type: 'test.happened', ...numbers }])
  assert.equal((await enriched(other!.intentId)).length, 1)
})

test('a cancellation that came first keeps its row, and nothing is sent', async () => {
  const [answer] = await world.accept([world.intent()])
  const id = notificationId(answer!.intentId, 1)
  await world.admin.query(
    `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback,
       scheduled_at, created_at, outcome) values ($1, $2, 'user', 'ann', 't', 1, '{email}', false, now(), now(), 'cancelled')`,
    [world.tenant, id],
  )
  await processIntents({ tenant_id: world.tenant, ids: [answer!.intentId] }, world.planning)
  assert.equal((await notificationsOf(answer!.intentId))[0]?.outcome, 'cancelled')
  assert.deepEqual(await enriched(answer!.intentId), [])
  assert.deepEqual(await world.rows('select 1 from carillon.deliveries where id = $1', [deliveryId(id, 'email')]), [])
})

test('a webhook address that nobody registered gets an endpoint with a secret of its own, once', async () => {
  const to = (url: string) =>
    world.intent({ recipients: [{ type: 'user', id: 'w', webhookUrl: url }], channels: ['webhook'] })
  const url = 'https://hooks.example.com/a'
  await world.plan([to(url), to(url)])
  await world.plan([to(url), to('https://hooks.example.com/b')])
  const endpoints = await world.rows<{ secrets: string[] }>(
    'select secrets from carillon.webhook_endpoints where tenant_id = $1',
    [world.tenant],
  )
  assert.equal(endpoints.length, 2)
  assert.equal(new Set(endpoints.map(({ secrets }) => secrets[0])).size, 2)
  assert.match(endpoints[0]!.secrets[0]!, /^whsec_[A-Za-z0-9+/]{43}=$/)
})

test('the audit line holds the full record as JSON', async () => {
  const [intentId] = await world.plan([world.intent({ data: { order: 'A-1' } }, { correlationId: 'c-9' })])
  const [line] = await world.rows<{ line: Record<string, unknown> }>('select line from carillon.audit_of($1)', [
    notificationId(intentId!, 1),
  ])
  assert.deepEqual(line?.line.data, { order: 'A-1' })
  assert.equal(line.line.correlation_id, 'c-9')
  assert.deepEqual(line.line.deliveries, [{ channel: 'email', state: 'queued', address: 'ann@example.com' }])
})

test('audit lines of one planning share a row, and each is found by its notification and by its intent', async () => {
  const intentIds = await world.plan([
    world.intent({
      recipients: [
        { type: 'user', id: 'ann', email: 'ann@example.com' },
        { type: 'user', id: 'ben', email: 'ben@example.com' },
      ],
    }),
    world.intent(),
  ])
  const count = async (text: string, id: string) => Number((await world.rows<{ n: string }>(text, [id]))[0]!.n)
  const of = 'select count(*) as n from carillon.audit_of($1)'
  assert.equal(await count(of, intentIds[0]!), 2)
  assert.equal(await count(of, intentIds[1]!), 1)
  assert.equal(await count(of, notificationId(intentIds[0]!, 2)), 1)
  const batches = `select count(*) as n from carillon.audit_batches b
    where b.first_id <= carillon.last_id_of($1) and b.last_id >= $1::uuid and b.size = 3`
  assert.equal(await count(batches, intentIds[0]!), 1)
})

test('of a chunk of which a part was planned before, the rest gets its audit lines', async () => {
  const answers = await world.accept(Array.from({ length: 4 }, () => world.intent()))
  const ids = answers.map(({ intentId }) => intentId)
  await processIntents({ tenant_id: world.tenant, ids: ids.slice(1, 3) }, world.planning)
  await processIntents({ tenant_id: world.tenant, ids }, world.planning)
  const lines = await world.rows<{ id: string; line: { intent_id: string } }>(
    'select l.* from unnest($1::uuid[]) as i (id) cross join lateral carillon.audit_of(i.id) l',
    [ids],
  )
  assert.deepEqual(lines.map(({ line }) => line.intent_id).sort(), ids.toSorted())
  assert.equal(new Set(lines.map(({ id }) => id)).size, 4)
})
