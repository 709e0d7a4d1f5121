import type { Channel } from '../../src/domain/channel.ts'
import { scopeOf } from '../../src/domain/expressions/scope.ts'
import { compileInhibitions } from '../../src/domain/inhibitions.ts'
import { noteAlerts } from '../../src/pipeline/match/hold-back.ts'
import { loadInhibitions } from '../../src/store/inhibitions.ts'
import { folding, planFolded } from '../support/folding.ts'
import type { ApiWorld, Data } from './api-world.ts'
import { deliverInApp, planInApp } from './inbox-seed.ts'

/** Ids of one of everything that a tenant can have. */
export interface SeededTenant {
  notification: string
  intent: string
  endpoint: string
  rule: string
  limit: string
  schedule: string
  silence: string
  inhibition: string
  digest: string
}

export const recurrence = '{ cron: "0 6 * * 1" }'
export const ruleInput = `{ name: "big", eventPattern: "event.data.total > 100", eventTypes: ["shop.*"], channels: [EMAIL],
  recipientSelector: { userIds: ["ann"] }, templateVars: { subject: "s", body: "b" } }`

export const silenceInput = `{ matcher: "true", author: "ann", comment: "c", endsAt: "2099-01-01T00:00:00Z" }`

/** Gives the world's first tenant one of everything, by the API where there is a way. */
export async function seedTenant(world: ApiWorld): Promise<SeededTenant> {
  const make = async (field: string): Promise<Data> => Object.values(await world.data(`mutation { ${field} }`))[0]
  const madeId = async (field: string): Promise<string> => (await make(`${field} { id }`)).id
  const [notification] = await planInApp(world, 'ann', 1)
  await deliverInApp(world, 'ann', [notification!])
  await make(
    `upsertRecipients(inputs: [{ id: "ann", name: "Ann", contactPoints: [{ channel: EMAIL, address: "ann@example.com" }] }]) { id }`,
  )
  await world.admin.query(
    `insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at)
     values ($1, $2, $3, 'permanent', 1, now())`,
    [world.tenant, `${notification!.slice(0, 34)}01`, 'email' satisfies Channel],
  )
  await make('publishEvent(input: { id: "e-1", type: "shop.order.paid", data: { total: 200 } }) { status }')
  await make('upsertCategory(input: { name: "news", marketing: true }) { name }')
  await make(
    'updateUserPreferences(userId: "ann", input: { enabled: true, channels: { sms: { enabled: false } } }) { userId }',
  )
  await make('updatePreferenceDefaults(input: { timezone: "Europe/Berlin" }) { userId }')
  await make('recordConsent(input: { userId: "ann", category: "news", source: "form" }) { category }')
  await make('addSuppressions(inputs: [{ channel: EMAIL, address: "bob@example.com" }]) { address }')
  const inhibition = await madeId(
    `createInhibition(input: { name: "hosts", source: "event.type == 'host.down'", target: "event.type == 'service.down'" })`,
  )
  const now = world.clock.now()
  const alert = { id: world.ids.intentId(), type: 'host.down', acceptedAt: now, priority: 1, data: {} }
  const event = { id: alert.id, eventId: 'e-1', scope: scopeOf({ event: alert, now }) }
  const inhibitions = compileInhibitions(await loadInhibitions(world.worker, world.tenant))
  await noteAlerts(world.worker, world.tenant, [event], inhibitions, now)
  const member = folding(world, { recipient: 'ann', event: 'a' })
  await planFolded(world, [member])
  const [digest] = await world.rows<{ id: string }>('select id from carillon.digests where tenant_id = $1', [
    world.tenant,
  ])
  await world.admin.query(
    `insert into carillon.limit_counters (tenant_id, subject, counts, idle_at) values ($1, 'ann', '-', now())`,
    [world.tenant],
  )
  world.clock.advance(1_000) // what has just come in is no past yet
  return {
    notification: notification!,
    intent: `${notification!.slice(0, 28)}00000000`,
    endpoint: await madeId('createWebhookEndpoint(url: "https://example.com/hook")'),
    rule: await madeId(`createNotificationRule(input: ${ruleInput})`),
    limit: await madeId('createRateLimit(input: { name: "mail", scope: USER, max: 10, windowSeconds: 3600 })'),
    schedule: await madeId(
      `createSchedule(input: { name: "weekly", recurrence: ${recurrence}, send: { type: "a", recipient: { id: "ann" }, subject: "a", body: "b" } })`,
    ),
    silence: await madeId(`createSilence(input: ${silenceInput})`),
    inhibition,
    digest: digest!.id,
  }
}
