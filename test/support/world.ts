/** A migrated database with a tenant, the pools of the two roles, and the stages at hand. */
import type pg from 'pg'
import type { AcceptAnswer, IntentPayload, NewIntent } from '../../src/domain/intent.ts'
import { acceptIntents } from '../../src/pipeline/accept/accept-intents.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createIdSource, type IdSource } from '../../src/platform/id-source.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { createTemplateCatalogue } from '../../src/store/template-catalogue.ts'
import { createSettingsCatalogue } from '../../src/store/tenant-settings.ts'
import { type ProcessIntentsDeps, processIntents } from '../../src/workers/process-intents.ts'
import { testDatabase } from './database.ts'

export interface World {
  url: string
  tenant: string
  otherTenant: string
  ids: IdSource
  clock: Clock
  /** Superuser: for looking at rows, and for what only an operator does. */
  admin: pg.Pool
  worker: pg.Pool
  api: pg.Pool
  intent(payload?: Partial<IntentPayload>, fields?: Partial<NewIntent>): NewIntent
  accept(intents: readonly NewIntent[], now?: Date): Promise<AcceptAnswer[]>
  /** Accepts and plans; gives the intents' ids. */
  plan(intents: readonly NewIntent[]): Promise<string[]>
  planning: ProcessIntentsDeps
  rows<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
}

export async function createWorld(clock: Clock = systemClock): Promise<World> {
  const database = await testDatabase()
  const ids = createIdSource(clock)
  const admin = database.pool()
  const worker = database.pool('carillon_worker')
  const api = database.pool('carillon_api')
  const tenant = ids.id()
  const otherTenant = ids.id()
  await admin.query('insert into carillon.tenants (id, name, created_at) select unnest($1::uuid[]), $2, $3', [
    [tenant, otherTenant],
    'a tenant',
    clock.now(),
  ])
  const planning: ProcessIntentsDeps = {
    pool: worker,
    clock,
    ids,
    catalogue: createTemplateCatalogue(worker, clock),
    settings: createSettingsCatalogue(worker, clock),
    ruleHealth: { observe: () => {} },
    gates: { enabledChannels: [], defaultChannels: ['email'] },
    plan: { audit: true, chunkSize: 100, claims: () => false },
    recipientsPerChunk: 1_000,
    wake: () => {},
    handOver: () => {},
    giveBack: () => {},
  }
  const world: World = {
    url: database.url,
    tenant,
    otherTenant,
    ids,
    clock,
    admin,
    worker,
    api,
    planning,
    intent: (payload = {}, fields = {}) => ({
      tenantId: tenant,
      kind: 'direct',
      type: 'test.happened',
      priority: 1,
      source: 'graphql',
      ...fields,
      payload: {
        recipients: [{ type: 'user', id: 'ann', email: 'ann@example.com' }],
        channels: ['email'],
        subject: 'Hello',
        body: 'Hello, Ann',
        data: {},
        metadata: {},
        ...payload,
      },
    }),
    accept: async (intents, now = clock.now()) => (await acceptIntents(api, intents, ids, now, 86_400_000)).answers,
    async plan(intents) {
      const answers = await world.accept(intents)
      const intentIds = answers.map(({ intentId }) => intentId)
      await processIntents({ tenant_id: tenant, ids: intentIds }, planning)
      return intentIds
    },
    rows: async (text, values) => (await admin.query(text, values)).rows,
  }
  return world
}

/** The jobs that wait on a queue, oldest first. */
export async function waitingJobs(world: World, queue = intentsQueue('bulk')) {
  return world.rows<{ data: { tenant_id: string; ids: string[] }; priority: number; start_after: Date }>(
    `select data, priority, start_after from pgboss.job where name = $1 and state in ('created', 'retry') order by created_on`,
    [queue],
  )
}
