import type pg from 'pg'
import { benchTemplate, benchTenant, dataOf, eventType, recipientOf } from '../load/load-item.ts'

/** Planned notifications by e-mail, and their jobs, as a burst leaves them when no worker runs. */
export interface BacklogPart {
  deliveries: number
  /** Ids in one job. */
  chunk: number
}

const rowsAtOnce = 50_000

const idsSql = `create temporary table backlog_ids on commit drop as
select row_number() over (order by made.id) as number, made.id
from (select carillon.new_intent_id(clock_timestamp()) as id from generate_series(1, $1::int)) made`

// The columns are those that accepting and planning fill for a template's e-mail to one recipient.
const rowsSql = [
  `insert into carillon.intents (tenant_id, id, kind, type, priority, category, source, accepted_at, recipients, payload)
   select $1::uuid, b.id, 'direct', $2::text, 1, 'transactional', 'graphql', now(), 1, $3::jsonb from backlog_ids b`,
  `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, recipient_name, type, category, priority, channels,
     has_fallback, template, scheduled_at, created_at)
   select $1::uuid, carillon.notification_id(b.id, 1), 'user', 'customer-' || b.number % 50000, 'Ann Bell', $2::text, 'transactional', 1,
     '{email}', false, $3::text, now(), now() from backlog_ids b`,
  `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, created_at, updated_at)
   select $1::uuid, (left(b.id::text, 28) || '00000101')::uuid, 'email', 'queued', 1, 'customer-' || b.number % 50000 || '@example.com',
     now(), now() from backlog_ids b`,
  `select carillon.enqueue(json_agg(json_build_object('queue', 'deliver-email-bulk', 'priority', 1, 'data', job.data)))
   from (select json_build_object('tenant_id', $1::uuid,
           'ids', json_agg((left(b.id::text, 28) || '00000101')::uuid order by b.id)) as data
         from backlog_ids b group by (b.number - 1) / $2::int) job`,
]

/** By sets, a commit every fifty thousand; it does not wait for the disk, for it is the reading that is measured. */
export async function seedBacklog(
  client: pg.Client,
  { deliveries, chunk }: BacklogPart,
  show: (written: number) => void,
): Promise<void> {
  await client.query('set synchronous_commit = off')
  const item = { number: 0, phase: 0, intendedMs: 0, run: 'backlog' }
  const payload = JSON.stringify({
    recipients: [{ type: 'user', ...recipientOf(item) }],
    channels: ['email'],
    template: benchTemplate,
    data: dataOf(item),
    metadata: {},
  })
  for (let written = 0; written < deliveries; ) {
    const rows = Math.min(rowsAtOnce, deliveries - written)
    await client.query('begin')
    await client.query(idsSql, [rows])
    const [intents, notifications, queued, jobs] = rowsSql
    await client.query(intents!, [benchTenant, eventType, payload])
    await client.query(notifications!, [benchTenant, eventType, benchTemplate])
    await client.query(queued!, [benchTenant])
    await client.query(jobs!, [benchTenant, chunk])
    await client.query('commit')
    written += rows
    show(written)
  }
}
