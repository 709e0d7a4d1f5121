import type { Named, RequestStory, RuleAnswer, StoryEvent } from '../../domain/explain/story.ts'
import { isNotificationId, ordinalOf } from '../../domain/ids.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { recipientIdOf } from '../../domain/recipient.ts'
import type { Queryable } from '../../platform/db.ts'
import {
  type ExplainedIntentRow,
  type ExplainedNotificationRow,
  findExplainedEvents,
  findExplainedIntent,
  findExplainedNotification,
  findLastPlanned,
  findMemberships,
  findNotificationsOfIntent,
  findNotificationsOfRecipient,
} from '../../store/explained-stories.ts'
import { loadRuleVersions, rulesAt } from '../../store/rules.ts'
import { type AskedRecipient, askRules, versionKey } from './ask-rules.ts'
import { loadNotifications } from './load-notifications.ts'

export interface AskedStory {
  intentId: string
  notificationId?: string
  recipientId?: string
}

/** Of one recipient by one event: as many rules would have to name the same person. */
const mostNotifications = 50
/** Pages follow each other within seconds; what has not come in this time does not come. */
const pagesMs = 3_600_000

/**
 * Reads all that an explanation is made of, in a constant number of statements. undefined: it was asked for a request alone,
 * and that has more than one notification.
 */
export async function loadStory(
  trx: Queryable,
  tenantId: string,
  asked: AskedStory,
  now: Date,
): Promise<RequestStory | undefined> {
  const { intentId } = asked
  const intent = await findExplainedIntent(trx, tenantId, intentId)
  const { rows, recipientIds } = await find(trx, tenantId, asked, intent)
  if (asked.notificationId === undefined && asked.recipientId === undefined && rows.length > 1) return undefined
  const isSpoken = intent !== undefined || rows.length > 0
  if (!isSpoken || isNobody(asked, intent, rows)) return { now, intentId: idOf(asked), rules: [], notifications: [] }

  const recipientId = rows[0]?.recipient_id ?? recipientIds[0]
  const events = await findExplainedEvents(
    trx,
    tenantId,
    intentId,
    rows.map(({ id }) => id),
  )
  const ofIntent = events.filter(({ subjectId }) => subjectId === intentId)
  const memberships = recipientId === undefined ? undefined : await findMemberships(trx, tenantId, recipientId)
  const recipient = { ids: recipientIds, roles: memberships?.roles ?? [], groups: memberships?.groups ?? [] }
  const decided = decisionOf(ofIntent)
  const planned = rows.length > 0 || decided ? rows : await findNotificationsOfIntent(trx, tenantId, intentId, 1)
  const decidedAt = decided?.at ?? (planned.length > 0 ? intent?.accepted_at : undefined)
  const rules = intent?.kind === 'event' ? await rulesOf(trx, tenantId, intent, rows, recipient, decidedAt ?? now) : []
  const refs = intent?.payload.recipients ?? []
  const named = intent?.kind === 'direct' ? namedBy(tenantId, refs, recipient) : undefined
  const namedAs = (row: ExplainedNotificationRow) =>
    row.rule_id === null ? namedAt(refs, ordinalOf(row.id), recipient) : namedByRule(rules, row)
  return {
    now,
    intentId,
    intent: intent && { ...storyOf(intent), recipients: refs.length, events: ofIntent },
    recipientId: asked.notificationId || asked.recipientId ? recipientId : rows[0]?.recipient_id,
    rules,
    notifications: await loadNotifications(trx, tenantId, rows, events, (row) => ({ rules, named: namedAs(row) })),
    named,
    audience: intent?.kind === 'direct' ? setsOf(refs) : undefined,
    decidedAt,
    isToCome:
      rows.length === 0 && decided?.data.continues === true && now.getTime() - decided.at.getTime() < pagesMs
        ? await isToCome(trx, tenantId, intentId, recipientId, rules, named)
        : false,
  }
}

const idOf = ({ notificationId, intentId }: AskedStory) => notificationId ?? intentId

/** A notification that is not planned is somebody's only where the request names him. */
function isNobody(
  { notificationId }: AskedStory,
  intent: ExplainedIntentRow | undefined,
  rows: readonly ExplainedNotificationRow[],
): boolean {
  if (notificationId === undefined || rows.length > 0) return false
  return intent?.kind !== 'direct' || intent.payload.recipients?.[ordinalOf(notificationId) - 1] === undefined
}

/** An address stands for the recipient that was made of it. */
async function find(
  trx: Queryable,
  tenantId: string,
  { intentId, notificationId, recipientId }: AskedStory,
  intent: ExplainedIntentRow | undefined,
): Promise<{ rows: ExplainedNotificationRow[]; recipientIds: string[] }> {
  if (recipientId !== undefined) {
    const recipientIds = [recipientId, recipientIdOf(tenantId, { type: 'user', email: recipientId })]
    return {
      recipientIds,
      rows: await findNotificationsOfRecipient(trx, tenantId, intentId, recipientIds, mostNotifications),
    }
  }
  if (notificationId === undefined || !isNotificationId(notificationId)) {
    const rows = await findNotificationsOfIntent(trx, tenantId, intentId, 2)
    return { rows, recipientIds: rows.map((row) => row.recipient_id) }
  }
  const rows = await findExplainedNotification(trx, tenantId, notificationId)
  const ref = intent?.kind === 'direct' ? intent.payload.recipients?.[ordinalOf(notificationId) - 1] : undefined
  const unplanned = ref && !isSet(ref) ? [recipientIdOf(tenantId, ref)] : []
  return { rows, recipientIds: rows.length > 0 ? rows.map((row) => row.recipient_id) : unplanned }
}

function storyOf(row: ExplainedIntentRow) {
  const { id, kind, type, priority, category, source, outcome, payload } = row
  return {
    ...{ id, kind, type, priority, category, source, outcome, payload },
    eventId: row.event_id,
    idempotencyKey: row.idempotency_key,
    correlationId: row.correlation_id,
    acceptedAt: row.accepted_at,
    scheduledAt: row.scheduled_at,
    expiresAt: row.expires_at,
  }
}

/** When its recipients were looked up, or none was found. */
const decisionOf = (events: readonly StoryEvent[]) =>
  events.find(({ type }) => type === 'notification.intent.enriched' || type === 'notification.intent.unmatched')

/** As they stood when it was matched, and those that took part. */
async function rulesOf(
  trx: Queryable,
  tenantId: string,
  row: ExplainedIntentRow,
  notifications: readonly ExplainedNotificationRow[],
  recipient: AskedRecipient,
  at: Date,
): Promise<RuleAnswer[]> {
  const versions = notifications.flatMap(({ rule_id: id, rule_version: version }) =>
    id === null || version === null ? [] : [{ id, version }],
  )
  const took = new Map(versions.map((version) => [versionKey(version), version]))
  const stood = await rulesAt(trx, tenantId, at)
  const used = await loadRuleVersions(trx, tenantId, [...took.values()])
  const rules = [...used, ...stood.filter(({ id }) => !used.some((rule) => rule.id === id))]
  rules.sort((a, b) => (a.id < b.id ? -1 : 1))
  const { event_id: eventId, correlation_id: correlationId, ...intent } = row
  return askRules({
    tenantId,
    intent: {
      ...intent,
      category: row.category ?? undefined,
      eventId: eventId ?? undefined,
      correlationId: correlationId ?? undefined,
      acceptedAt: row.accepted_at,
    },
    rules,
    took: new Set(took.keys()),
    isUnmatched: row.outcome === 'unmatched',
    recipient,
    now: at,
  })
}

const isSet = ({ type }: RecipientRef) => type === 'role' || type === 'group'
const idsOf = (refs: readonly RecipientRef[], type: 'role' | 'group') =>
  refs.flatMap((ref) => (ref.type === type && ref.id !== undefined ? [ref.id] : []))
const setsOf = (refs: readonly RecipientRef[]) => ({ roles: idsOf(refs, 'role'), groups: idsOf(refs, 'group') })

const wayOf = (ref: RecipientRef): Named['by'][number] => {
  if (ref.type === 'system') return 'target'
  return ref.id === undefined ? 'address' : 'user'
}

function asMember(refs: readonly RecipientRef[], recipient: AskedRecipient): Named {
  const sets = setsOf(refs)
  const roles = sets.roles.filter((role) => recipient.roles.includes(role))
  const groups = sets.groups.filter((group) => recipient.groups.includes(group))
  const by = [...(roles.length > 0 ? (['role'] as const) : []), ...(groups.length > 0 ? (['group'] as const) : [])]
  return { by, ...(roles.length > 0 && { roles }), ...(groups.length > 0 && { groups }), isMember: by.length > 0 }
}

/** How a request names somebody who has no notification of it. */
function namedBy(tenantId: string, refs: readonly RecipientRef[], recipient: AskedRecipient): Named | undefined {
  const ref = refs.find((one) => !isSet(one) && recipient.ids.includes(recipientIdOf(tenantId, one)))
  if (ref) return { by: [wayOf(ref)] }
  const member = asMember(refs, recipient)
  return member.by.length > 0 ? member : undefined
}

/** How a request came to a notification: by the place of its recipient, or as a member of a role or group. */
function namedAt(refs: readonly RecipientRef[], ordinal: number, recipient: AskedRecipient): Named {
  const ref = refs[ordinal - 1]
  if (ref && !isSet(ref)) return { by: [wayOf(ref)] }
  const sets = ref ? [ref] : refs
  const { isMember, by, ...member } = asMember(sets, recipient)
  if (isMember) return { by, ...member, isMember }
  const named = setsOf(sets)
  const kinds = [
    ...(named.roles.length > 0 ? (['role'] as const) : []),
    ...(named.groups.length > 0 ? (['group'] as const) : []),
  ]
  return { by: kinds, ...named, isMember: false }
}

function namedByRule(rules: readonly RuleAnswer[], row: ExplainedNotificationRow): Named {
  const answer = rules.find(({ rule }) => rule.id === row.rule_id && rule.version === row.rule_version)
  const { roles, groups } = answer?.audience ?? {}
  const rule = answer && `${answer.rule.name}@${answer.rule.version}`
  if (answer?.names && answer.names.by.length > 0) return { ...answer.names, rule }
  return { by: [], roles: roles as string[] | undefined, groups: groups as string[] | undefined, isMember: false, rule }
}

/** Whether the page of somebody who is named may still come: pages go by the rules' order, and by the recipients' ids in each. */
async function isToCome(
  trx: Queryable,
  tenantId: string,
  intentId: string,
  recipientId: string | undefined,
  rules: readonly RuleAnswer[],
  named: Named | undefined,
): Promise<boolean> {
  if (recipientId === undefined) return true
  const naming = rules.filter(({ verdict, names }) => verdict === 'match' && names !== undefined && names.by.length > 0)
  if (naming.length === 0 && named === undefined) return false
  const last = await findLastPlanned(trx, tenantId, intentId, recipientId)
  if (!last || last.rule_id === null) return last?.is_before ?? true
  const place = (id: string) => rules.findIndex(({ rule }) => rule.id === id)
  return naming.some(({ rule }) => (rule.id === last.rule_id ? last.is_before : place(rule.id) > place(last.rule_id!)))
}
