import type { DecisionLine } from '../domain/decision-line.ts'
import type { DeliveryStory, StoryEvent } from '../domain/explain/story.ts'
import { lastIdOf } from '../domain/ids.ts'
import type { IntentPayload, RecipientType } from '../domain/intent.ts'
import type { NotificationOutcome } from '../domain/notification-status.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'
import { storyBounds } from './id-bounds.ts'

/* What explain reads: of one intent, one recipient, and the few notifications that there are of the two. */

type Row<Fields> = Fields & Record<string, unknown>

const intentSql: Statement = {
  name: 'explain_intent',
  text: `select i.id, i.kind, i.type, i.priority, i.category, i.source, i.event_id, i.idempotency_key, i.correlation_id, i.accepted_at,
    i.scheduled_at, i.expires_at, i.outcome, i.payload
  from carillon.intents i where i.tenant_id = $1::uuid and i.id = $2::uuid`,
}

export interface ExplainedIntentRow {
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category: string | null
  source: string
  event_id: string | null
  idempotency_key: string | null
  correlation_id: string | null
  accepted_at: Date
  scheduled_at: Date | null
  expires_at: Date | null
  outcome: string | null
  payload: IntentPayload
}

export async function findExplainedIntent(
  on: Queryable,
  tenantId: string,
  id: string,
): Promise<ExplainedIntentRow | undefined> {
  return (await run<Row<ExplainedIntentRow>>(on, intentSql, [tenantId, id]))[0]
}

const columns = `n.id, n.recipient_type, n.recipient_id, n.channels, n.expires_at, n.outcome, n.reason, n.rule_id, n.rule_version,
  n.digest_id`

const byIdSql: Statement = {
  name: 'explain_notification',
  text: `select ${columns} from carillon.notifications n where n.tenant_id = $1::uuid and n.id = $2::uuid`,
}
const ofRecipientSql: Statement = {
  name: 'explain_notifications_of_recipient',
  text: `select ${columns} from carillon.notifications n
  where n.tenant_id = $1::uuid and n.recipient_id = any ($4::text[]) and n.id > $2::uuid and n.id <= $3::uuid
  order by n.id limit $5::int`,
}
const ofIntentSql: Statement = {
  name: 'explain_notifications_of_intent',
  text: `select ${columns} from carillon.notifications n
  where n.tenant_id = $1::uuid and n.id > $2::uuid and n.id <= $3::uuid
  order by n.id limit $4::int`,
}

export interface ExplainedNotificationRow {
  id: string
  recipient_type: RecipientType
  recipient_id: string
  channels: string[]
  expires_at: Date | null
  outcome: NotificationOutcome | null
  reason: string | null
  rule_id: string | null
  rule_version: number | null
  digest_id: string | null
}
type NotificationRows = Promise<ExplainedNotificationRow[]>

export const findExplainedNotification = (on: Queryable, tenantId: string, id: string): NotificationRows =>
  run<Row<ExplainedNotificationRow>>(on, byIdSql, [tenantId, id])

/** Those of an intent that went to one recipient, whose id may be one of several. */
export const findNotificationsOfRecipient = (
  on: Queryable,
  tenantId: string,
  intentId: string,
  recipientIds: readonly string[],
  limit: number,
): NotificationRows =>
  run<Row<ExplainedNotificationRow>>(on, ofRecipientSql, [tenantId, intentId, lastIdOf(intentId), recipientIds, limit])

export const findNotificationsOfIntent = (
  on: Queryable,
  tenantId: string,
  intentId: string,
  limit: number,
): NotificationRows =>
  run<Row<ExplainedNotificationRow>>(on, ofIntentSql, [tenantId, intentId, lastIdOf(intentId), limit])

const lastSql: Statement = {
  name: 'explain_last_planned',
  text: `select n.rule_id, n.recipient_id < $4::text as is_before
  from carillon.notifications n
  where n.tenant_id = $1::uuid and n.id > $2::uuid and n.id <= $3::uuid
  order by n.id desc limit 1`,
}

/** How far the planning of an intent has come: the rule of its last notification, and whether that one's recipient stands before this one. */
export async function findLastPlanned(
  on: Queryable,
  tenantId: string,
  intentId: string,
  recipientId: string,
): Promise<{ rule_id: string | null; is_before: boolean } | undefined> {
  type Found = Row<{ rule_id: string | null; is_before: boolean }>
  return (await run<Found>(on, lastSql, [tenantId, intentId, lastIdOf(intentId), recipientId]))[0]
}

// With `offset 0` each story is looked for by itself, by the index of its subjects; else all that followed would be sorted.
const eventsSql: Statement = {
  name: 'explain_events',
  text: `select l.subject_id, l.batch, l.type, l.at, l.data
  from unnest($2::uuid[], $3::uuid[]) as story (first_id, last_id)
  cross join lateral (
    select e.subject_id, l.xid, l.id as batch, e.ordinality, e.type, l.at, e.data
    from carillon.status_log l
    cross join lateral rows from (json_to_recordset(l.events) as (subject_id uuid, type text, data json)) with ordinality as e
    where l.tenant_id = $1::uuid and l.id >= carillon.first_id_at(carillon.id_time(story.first_id) - interval '1 minute')
      and l.first_subject <= story.last_id and l.last_subject >= story.first_id
      and e.subject_id between story.first_id and story.last_id
    offset 0
  ) l
  order by l.xid, l.batch, l.ordinality`,
}

/** What was told of an intent itself, and of these notifications of it, in order. */
export async function findExplainedEvents(
  on: Queryable,
  tenantId: string,
  intentId: string,
  notificationIds: readonly string[],
): Promise<StoryEvent[]> {
  const first = [intentId, ...notificationIds]
  const last = [intentId, ...notificationIds.map(lastIdOf)]
  type Found = Row<{ subject_id: string; batch: string; type: string; at: Date; data: StoryEvent['data'] }>
  const rows = await run<Found>(on, eventsSql, [tenantId, first, last])
  return rows.map(({ subject_id, batch, type, at, data }) => ({ subjectId: subject_id, batch, type, at, data }))
}

const decisionsSql: Statement = {
  name: 'explain_decisions',
  text: `select d.id, d.at, d.batch, d.line
  from unnest($2::uuid[]) as n (id)
  cross join lateral carillon.decisions_of(n.id) d
  where d.tenant_id = $1::uuid
  order by d.at, d.batch`,
}

export interface DecisionRow {
  /** Of the notification. */
  id: string
  at: Date
  batch: string
  line: DecisionLine
}

export const findDecisions = (
  on: Queryable,
  tenantId: string,
  notificationIds: readonly string[],
): Promise<DecisionRow[]> => run<Row<DecisionRow>>(on, decisionsSql, [tenantId, notificationIds])

const deliveriesSql: Statement = {
  name: 'explain_deliveries',
  text: `select d.id, d.channel, d.state, d.attempt, d.fallback_rank as "fallbackRank", d.reason, d.next_attempt_at as "nextAttemptAt",
    d.sent_at as "sentAt", d.delivered_at as "deliveredAt", s.until
  from unnest($2::uuid[], $3::uuid[]) as story (first_id, last_id)
  join carillon.deliveries d
    on d.tenant_id = $1::uuid and d.id > story.first_id and d.id <= story.last_id and d.id between $4::uuid and $5::uuid
  left join carillon.snoozes s on s.tenant_id = d.tenant_id and s.delivery_id = d.id and d.state = 'snoozed'
  order by d.fallback_rank, d.id`,
}

/** The channels asked for, and behind them the fallbacks in their order. */
export const findExplainedDeliveries = (
  on: Queryable,
  tenantId: string,
  notificationIds: readonly string[],
): Promise<DeliveryStory[]> => run<Row<DeliveryStory>>(on, deliveriesSql, [tenantId, ...storyBounds(notificationIds)])

const digestsSql: Statement = {
  name: 'explain_digests',
  text: `select d.id, d.key, d.kind, d.state, d.opened_at, d.closes_at, d.closed_at, d.close_reason, d.count, d.folded, d.intent_id
  from carillon.digests d where d.tenant_id = $1::uuid and d.id = any ($2::uuid[])`,
}

export interface ExplainedDigestRow {
  id: string
  key: string
  kind: 'digest' | 'group'
  state: 'open' | 'full' | 'closed'
  opened_at: Date
  closes_at: Date
  closed_at: Date | null
  close_reason: string | null
  count: number
  folded: number | null
  intent_id: string | null
}

export const findExplainedDigests = (
  on: Queryable,
  tenantId: string,
  ids: readonly string[],
): Promise<ExplainedDigestRow[]> => run<Row<ExplainedDigestRow>>(on, digestsSql, [tenantId, ids])

const membershipsSql: Statement = {
  name: 'explain_memberships',
  text: `select r.roles, r.groups from carillon.recipients r where r.tenant_id = $1::uuid and r.external_id = $2::text`,
}

/** Roles and groups that a recipient has now. */
export async function findMemberships(
  on: Queryable,
  tenantId: string,
  recipientId: string,
): Promise<{ roles: string[]; groups: string[] } | undefined> {
  return (await run<Row<{ roles: string[]; groups: string[] }>>(on, membershipsSql, [tenantId, recipientId]))[0]
}
