import { firstIdAt, lastIdOf } from '../domain/ids.ts'
import type { IntentPayload } from '../domain/intent.ts'
import { parsePreferences } from '../domain/parse-preferences.ts'
import type { SaidPreferences } from '../domain/preferences.ts'
import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import { idBounds } from './id-bounds.ts'
import type { PreferenceDocument } from './preferences.ts'

/*
 * What has happened, read as it was then: for decisions that are made again in thought. Nothing here writes.
 */

const pageSql = statement('replay/page_intents')

export interface PastIntentRow {
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category: string | null
  event_id: string | null
  idempotency_key: string | null
  correlation_id: string | null
  traceparent: string | null
  scheduled_at: Date | null
  expires_at: Date | null
  accepted_at: Date
  payload: IntentPayload
}

export interface PastPage {
  since: Date
  until: Date
  /** An intent's id; absent: from the beginning. */
  after?: string
  eventsOnly: boolean
  limit: number
}

/** Ids tell the time by the clock of who accepted; clocks differ. */
const clocksDifferMs = 60_000

/** What was accepted in a period, a page of it in the order of the ids. */
export async function pagePastIntents(on: Queryable, tenantId: string, page: PastPage): Promise<PastIntentRow[]> {
  const { since, until, eventsOnly, limit } = page
  const after = page.after ?? firstIdAt(since.getTime() - clocksDifferMs)
  const end = firstIdAt(until.getTime() + clocksDifferMs)
  const values = [tenantId, after, end, since, until, eventsOnly, limit]
  return run<PastIntentRow & Record<string, unknown>>(on, pageSql, values)
}

const plannedSql = statement('replay/planned')
const plannedForSql = statement('replay/planned_for')

/** A notification that was let through, at once or for later. */
export interface PlannedRow {
  intent_id: string
  id: string
  recipient_id: string
  rule_id: string | null
}

/** Notifications that one statement looks at: a story may have a million of them. */
const lookedAt = 20_000

/**
 * What was let through of these intents, in the order of the ids, a part of it at a time: some of each, with how many of it
 * there are in the part (`total`). With a rule, of that rule alone.
 */
export async function* findPlanned(
  on: Queryable,
  tenantId: string,
  intentIds: readonly string[],
  ruleId: string | undefined,
  most: number,
): AsyncGenerator<(PlannedRow & { total: number })[]> {
  if (intentIds.length === 0) return
  type Looked = { looked: number; last: string | null; id: string | null }
  const [least, greatest] = idBounds(intentIds)
  for (let after = least; ; ) {
    const values = [tenantId, intentIds, after, lastIdOf(greatest), ruleId, most, lookedAt]
    const rows = await run<PlannedRow & { total: number } & Record<string, unknown>>(on, plannedSql, values)
    const { looked, last } = rows[0] as unknown as Looked
    yield rows.filter(({ id }) => id !== null)
    if (looked < lookedAt) return
    after = last!
  }
}

/** Which of these were let through. */
export async function findPlannedFor(
  on: Queryable,
  tenantId: string,
  wanted: readonly Omit<PlannedRow, 'id'>[],
): Promise<PlannedRow[]> {
  if (wanted.length === 0) return []
  const intentIds = wanted.map(({ intent_id }) => intent_id)
  const [least, greatest] = idBounds(intentIds)
  return run<PlannedRow & Record<string, unknown>>(on, plannedForSql, [
    tenantId,
    least,
    lastIdOf(greatest),
    intentIds,
    wanted.map(({ rule_id }) => rule_id),
    wanted.map(({ recipient_id }) => recipient_id),
  ])
}

const rulesUntilSql: Statement = {
  name: 'replay_rules_until',
  text: `select least(
    (select min(v.valid_from) from carillon.rule_versions v where v.tenant_id = $1::uuid and v.valid_from > $2::timestamptz),
    (select min(v.valid_to) from carillon.rule_versions v where v.tenant_id = $1::uuid and v.valid_to > $2::timestamptz)) as until`,
}

/** When the rules were changed for the first time after a moment; undefined: they were not. */
export async function rulesHeldUntil(on: Queryable, tenantId: string, at: Date): Promise<Date | undefined> {
  const [row] = await run<{ until: Date | null }>(on, rulesUntilSql, [tenantId, at])
  return row?.until ?? undefined
}

const ruleIdSql: Statement = {
  name: 'replay_rule_id',
  text: `select v.rule_id as id from carillon.rule_versions v
  where v.tenant_id = $1::uuid and v.name = $2::text and (v.valid_to is null or v.valid_to > $3::timestamptz)
  order by v.valid_to is null desc, v.valid_to desc, v.version desc limit 1`,
}

/** The rule that has, or last had since a moment, a name. */
export async function findRuleIdSince(
  on: Queryable,
  tenantId: string,
  name: string,
  since: Date,
): Promise<string | undefined> {
  return (await run<{ id: string }>(on, ruleIdSql, [tenantId, name, since]))[0]?.id
}

const judgeSql: Statement = {
  name: 'replay_judge_preferences',
  text: 'select carillon.read_preferences($1::jsonb) as patch',
}

/** A draft of preferences as it would be stored; one that is none is a 22023, as with every way in. */
export async function judgePreferences(on: Queryable, draft: unknown): Promise<PreferenceDocument> {
  const [row] = await run<{ patch: PreferenceDocument }>(on, judgeSql, [JSON.stringify(draft)])
  return row!.patch
}

const defaultsSql: Statement = {
  name: 'replay_defaults',
  text: `select v.version, carillon.merge_patch(
      case when $3::jsonb ? 'quietHours' then coalesce(v.document, '{}') - 'quietHours' else coalesce(v.document, '{}') end, $3::jsonb) as document,
    coalesce(v.valid_to, (select min(n.valid_from) from carillon.preference_versions n
      where n.tenant_id = $1::uuid and n.recipient_id = '' and n.valid_from > $2::timestamptz)) as until
  from (values (1)) as one (row)
  left join carillon.preference_versions v on v.tenant_id = $1::uuid and v.recipient_id = '' and v.valid_from <= $2::timestamptz
    and (v.valid_to is null or v.valid_to > $2::timestamptz)`,
}

/** A tenant's defaults as they stood at a moment, with a draft merged into them, and until when they stood so. */
export async function defaultsAt(
  on: Queryable,
  tenantId: string,
  at: Date,
  draft: PreferenceDocument | undefined,
): Promise<{ defaults?: SaidPreferences; until?: Date }> {
  type Row = { version: number | null; document: PreferenceDocument; until: Date | null }
  const [row] = await run<Row>(on, defaultsSql, [tenantId, at, JSON.stringify(draft ?? {})])
  const { version, document, until } = row!
  const isSaid = version !== null || draft !== undefined
  return {
    defaults: isSaid ? { version: version ?? 0, said: parsePreferences(document) } : undefined,
    until: until ?? undefined,
  }
}
