import type { Channel } from '../../domain/channel.ts'
import { intentIdOf, notificationIdOf, ordinalOf } from '../../domain/ids.ts'
import type { IntentPayload, RecipientRef, RecipientType } from '../../domain/intent.ts'
import type { Person } from '../../domain/person.ts'
import { inlineAddresses, recipientIdOf, refWith } from '../../domain/recipient.ts'
import type { Rule } from '../../domain/rule.ts'
import type { Wanted } from '../../domain/want.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { loadRuleVersions } from '../../store/rules.ts'
import { loadPeople } from './load-people.ts'

const takeSql = statement('enrich/take_snoozed')

/** The intent of a delivery that waited, as matching and the gates read it. */
export interface SnoozedIntent {
  tenantId: string
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category?: string
  eventId?: string
  idempotencyKey?: string
  correlationId?: string
  traceparent?: string
  scheduledAt?: Date
  expiresAt?: Date
  acceptedAt: Date
  payload: IntentPayload
}

/** A delivery whose wait is over, with all that the gates ask of. */
export interface Snoozed {
  id: string
  notificationId: string
  channel: Channel
  address: string
  fallbackRank: number
  hasFallback: boolean
  /** What it waited for. */
  reason: string
  wanted: Wanted<SnoozedIntent>
  recipient: Person
}

interface Row extends Record<string, unknown> {
  tenant_id: string
  id: string
  reason: string
  /** null, as all that follows: its story is past its retention. */
  state: string | null
  channel: Channel
  address: string
  fallback_rank: number
  priority: number
  recipient_type: RecipientType
  recipient_id: string
  recipient_name: string | null
  locale: string | null
  timezone: string | null
  type: string
  category: string | null
  template: string | null
  rule_id: string | null
  rule_version: number | null
  has_fallback: boolean
  expires_at: Date | null
  scheduled_at: Date
  accepted_at: Date
  correlation_id: string | null
  traceparent: string | null
  idempotency_key: string | null
  event_id: string | null
  kind: SnoozedIntent['kind']
  payload: IntentPayload
}

export interface TakenSnoozes {
  tenantId: string
  /** All that were taken. */
  ids: string[]
  /** Those that still wait. */
  waiting(): Promise<Snoozed[]>
}

/** Takes what is due, by tenant: call it in the transaction that writes what becomes of it. */
export async function takeSnoozed(trx: Queryable, limit: number, now: Date): Promise<TakenSnoozes[]> {
  const rows = await run<Row>(trx, takeSql, [now, limit])
  return [...Map.groupBy(rows, ({ tenant_id }) => tenant_id)].map(([tenantId, all]) => ({
    tenantId,
    ids: all.map(({ id }) => id),
    async waiting() {
      const of = all.filter(({ state }) => state === 'snoozed')
      const versions = of.flatMap(({ rule_id: id, rule_version }) =>
        id === null ? [] : [{ id, version: rule_version! }],
      )
      const known = versions.length === 0 ? [] : await loadRuleVersions(trx, tenantId, versions)
      const rules = of.map((row) => known.find(({ id, version }) => id === row.rule_id && version === row.rule_version))
      const refs = of.map((row, index) => refOfRow(tenantId, row, rules[index]))
      const categories = [...new Set(of.flatMap(({ category }) => category ?? []))]
      const people = await loadPeople(trx, tenantId, refs, categories, now)
      return of.map((row, index) => snoozedOf(tenantId, row, people[index]!, rules[index]))
    },
  }))
}

/** As the request or the rule named them; somebody without an id by the address that the delivery has. */
function refOfRow(tenantId: string, row: Row, rule: Rule | undefined): RecipientRef {
  const isMeant = (ref: RecipientRef) => recipientIdOf(tenantId, ref) === row.recipient_id
  const isInline = (ref: RecipientRef) => inlineAddresses(ref)[row.channel] !== undefined && isMeant(ref)
  const requested = row.rule_id === null ? row.payload.recipients?.[ordinalOf(row.id) - 1] : undefined
  const named = requested ? isMeant(requested) && requested : rule?.selector.addresses?.find(isInline)
  if (named) return named
  if (!row.recipient_id.startsWith('address:')) return { type: row.recipient_type, id: row.recipient_id }
  const ref = { type: row.recipient_type, name: row.recipient_name ?? undefined, locale: row.locale ?? undefined }
  return refWith({ ...ref, timezone: row.timezone ?? undefined }, row.channel, row.address)
}

function snoozedOf(tenantId: string, row: Row, person: Person, rule: Rule | undefined): Snoozed {
  const isInline = row.recipient_id.startsWith('address:')
  return {
    id: row.id,
    notificationId: notificationIdOf(row.id),
    channel: row.channel,
    address: row.address,
    fallbackRank: row.fallback_rank,
    hasFallback: row.has_fallback,
    reason: row.reason,
    recipient: isInline ? { ...person, id: row.recipient_id, known: false } : person,
    wanted: {
      intent: {
        tenantId,
        id: intentIdOf(row.id),
        kind: row.kind,
        type: row.type,
        priority: row.priority,
        category: row.category ?? undefined,
        eventId: row.event_id ?? undefined,
        idempotencyKey: row.idempotency_key ?? undefined,
        correlationId: row.correlation_id ?? undefined,
        traceparent: row.traceparent ?? undefined,
        expiresAt: row.expires_at ?? undefined,
        scheduledAt: row.scheduled_at,
        acceptedAt: row.accepted_at,
        payload: row.payload,
      },
      refs: [],
      priority: row.priority,
      category: row.category ?? undefined,
      channels: [row.channel],
      template: row.template ?? undefined,
      schedule: rule ? rule.schedule : row.payload.schedule,
      rule: rule && { id: rule.id, name: rule.name, version: rule.version },
      isDigest: true, // it was let out once; it is not folded now
    },
  }
}
