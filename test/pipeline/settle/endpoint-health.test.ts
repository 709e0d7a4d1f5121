import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import type { AttemptOutcome } from '../../../src/domain/outcome.ts'
import { createEndpointHealth } from '../../../src/pipeline/settle/endpoint-health.ts'
import { testClock } from '../../support/test-clock.ts'
import { createWorld } from '../../support/world.ts'

const start = new Date('2026-01-15T10:00:00.000Z')
const clock = testClock(start)
const world = await createWorld(clock)
const day = 86_400_000

const accepted: AttemptOutcome = { kind: 'accepted' }
const failed: AttemptOutcome = { kind: 'rejected', reason: 'transient', retryable: true, detail: 'HTTP 500' }

async function anEndpoint(eventTypes: string[] | null = ['*']): Promise<string> {
  const id = world.ids.id()
  await world.admin.query(
    `insert into carillon.webhook_endpoints (tenant_id, id, url, secrets, created_at, event_types, since)
     values ($1, $2::uuid, 'https://example.com/' || $2::uuid, '{whsec_}', $3, $4, case when $4::text[] is not null then pg_current_snapshot() end)`,
    [world.tenant, id, start, eventTypes],
  )
  return id
}

/** Calls one after the other, a second apart, and what is known of the endpoint then. */
async function after(endpointId: string, ...outcomes: AttemptOutcome[]) {
  const health = createEndpointHealth({
    pool: world.worker,
    clock,
    mostFailingMs: 5 * day,
    gatherMs: 60_000,
    logger: pino({ level: 'silent' }),
  })
  for (const outcome of outcomes) {
    clock.advance(1_000)
    const at = clock.now()
    const claim = { deliveryId: 'd', channel: 'webhook' as const, attempt: 1, priority: 1, possibleDuplicate: false }
    const message = { data: {}, webhook: { endpointId, statusEvent: {} } }
    health.observe(world.tenant, {
      kind: 'tried',
      outcome,
      item: { claim, message },
      provider: 'webhook',
      startedAt: at,
      completedAt: at,
    })
  }
  await health.close()
  const [row] = await world.rows<Record<string, unknown>>(
    `select last_success_at, last_failure_at, last_failure, failing_since, disabled_reason from carillon.webhook_endpoints where id = $1`,
    [endpointId],
  )
  return row!
}

test('the last success, the last failure and the beginning of a series of failures are noted', async () => {
  const id = await anEndpoint()
  const t0 = clock.now().getTime()
  const second = (count: number) => new Date(t0 + count * 1_000)
  assert.deepEqual(await after(id, accepted), {
    last_success_at: second(1),
    last_failure_at: null,
    last_failure: null,
    failing_since: null,
    disabled_reason: null,
  })
  const failing = await after(id, failed, failed)
  assert.deepEqual(failing, {
    last_success_at: second(1),
    last_failure_at: second(3),
    last_failure: 'HTTP 500',
    failing_since: second(2),
    disabled_reason: null,
  })
  assert.deepEqual((await after(id, failed)).failing_since, second(2))
  assert.equal((await after(id, failed, accepted)).failing_since, null)
  assert.deepEqual((await after(id, accepted, failed)).failing_since, second(8))
})

test('an endpoint that has failed for days without a success is switched off, if it is subscribed', async () => {
  const [subscribed, plain, recovered] = [await anEndpoint(), await anEndpoint(null), await anEndpoint()]
  for (const id of [subscribed, plain, recovered]) await after(id, failed)
  clock.advance(3 * day)
  await after(recovered, accepted)
  assert.equal((await after(subscribed, failed)).disabled_reason, null)
  clock.advance(3 * day)
  assert.equal((await after(subscribed, failed)).disabled_reason, 'failing')
  assert.equal((await after(plain, failed)).disabled_reason, null)
  assert.equal((await after(recovered, failed)).disabled_reason, null)
})
