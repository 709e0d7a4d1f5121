import type { Channel } from '../../domain/channel.ts'
import type {
  AttemptStory,
  DigestStory,
  Named,
  NotificationStory,
  RuleAnswer,
  StoryEvent,
} from '../../domain/explain/story.ts'
import { notificationId, notificationIdOf } from '../../domain/ids.ts'
import { notificationStatus } from '../../domain/notification-status.ts'
import type { Queryable } from '../../platform/db.ts'
import { findDeliveries } from '../../store/deliveries.ts'
import { type DeliveryAttemptRow, findAttempts } from '../../store/delivery-attempts.ts'
import {
  type ExplainedDigestRow,
  type ExplainedNotificationRow,
  findDecisions,
  findExplainedDeliveries,
  findExplainedDigests,
} from '../../store/explained-stories.ts'
import { findNotifications } from '../../store/notifications.ts'

/** What there is of planned notifications, whose events are at hand already. */
export async function loadNotifications(
  trx: Queryable,
  tenantId: string,
  rows: readonly ExplainedNotificationRow[],
  events: readonly StoryEvent[],
  of: (row: ExplainedNotificationRow) => { rules: readonly RuleAnswer[]; named: Named },
): Promise<NotificationStory[]> {
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  const decisions = Map.groupBy(await findDecisions(trx, tenantId, ids), ({ id }) => id)
  const deliveries = Map.groupBy(await findExplainedDeliveries(trx, tenantId, ids), ({ id }) => notificationIdOf(id))
  const attempts = Map.groupBy(await findAttempts(trx, tenantId, ids), (row) => notificationIdOf(row.delivery_id))
  const told = Map.groupBy(events, ({ subjectId }) => notificationIdOf(subjectId))
  const digests = await loadDigests(trx, tenantId, [...new Set(rows.flatMap((row) => row.digest_id ?? []))])
  return rows.map((row): NotificationStory => {
    const { rules, named } = of(row)
    return {
      id: row.id,
      recipientType: row.recipient_type,
      recipientId: row.recipient_id,
      channels: row.channels as Channel[],
      expiresAt: row.expires_at,
      outcome: row.outcome,
      reason: row.reason,
      rule: ruleOf(row, rules),
      digest: row.digest_id === null ? undefined : digests.get(row.digest_id),
      deliveries: deliveries.get(row.id) ?? [],
      attempts: (attempts.get(row.id) ?? []).map(attemptOf),
      events: told.get(row.id) ?? [],
      decisions: decisions.get(row.id) ?? [],
      named,
    }
  })
}

function ruleOf({ rule_id: id, rule_version: version }: ExplainedNotificationRow, rules: readonly RuleAnswer[]) {
  if (id === null || version === null) return undefined
  return { id, version, name: rules.find(({ rule }) => rule.id === id)?.rule.name }
}

const attemptOf = (row: DeliveryAttemptRow): AttemptStory => ({
  channel: row.channel,
  attempt: row.attempt,
  provider: row.provider,
  outcome: row.outcome,
  reason: row.reason,
  detail: row.detail,
  startedAt: row.started_at,
  completedAt: row.completed_at,
})

/** With what they went out as. */
async function loadDigests(
  trx: Queryable,
  tenantId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, DigestStory>> {
  if (ids.length === 0) return new Map()
  const digests = await findExplainedDigests(trx, tenantId, ids)
  const sent = digests.flatMap(({ intent_id: intentId }) => (intentId === null ? [] : [notificationId(intentId, 1)]))
  const notifications = await findNotifications(trx, tenantId, sent)
  const deliveries = Map.groupBy(await findDeliveries(trx, tenantId, sent), ({ id }) => notificationIdOf(id))
  const statusOf = (id: string) => {
    const row = notifications.find((one) => one.id === id)
    return row ? notificationStatus(row.outcome, deliveries.get(id) ?? [], row.reason) : 'pending'
  }
  return new Map(digests.map((row) => [row.id, digestOf(row, statusOf)]))
}

function digestOf(
  row: ExplainedDigestRow,
  statusOf: (notificationId: string) => NonNullable<DigestStory['notification']>['status'],
): DigestStory {
  const id = row.intent_id === null ? undefined : notificationId(row.intent_id, 1)
  return {
    id: row.id,
    key: row.key,
    kind: row.kind,
    state: row.state,
    openedAt: row.opened_at,
    closesAt: row.closes_at,
    closedAt: row.closed_at,
    closeReason: row.close_reason,
    count: row.count,
    folded: row.folded,
    notification: id === undefined ? undefined : { id, status: statusOf(id) },
  }
}
