import { type Queryable, run, type Statement } from '../platform/db.ts'
import type { RuleRow, RuleVersionRow } from './rules.ts'

export interface RulePage {
  /** Part of the name, whatever its case. */
  name?: string
  /** One that the rule names. */
  domain?: string
  /** One that the rule names, by a pattern too. */
  eventType?: string
  enabled?: boolean
  below?: string
  above?: string
  newestFirst: boolean
  limit: number
}

const pageText = (order: 'asc' | 'desc') => `
  select r.id, r.name, r.version, r.definition, r.enabled, r.disabled_reason, r.created_at, r.updated_at, r.updated_by
  from carillon.rules r
  where r.tenant_id = $1::uuid
    and ($2::text is null or strpos(lower(r.name), lower($2::text)) > 0)
    and ($3::text is null or r.definition -> 'domains' ? $3::text)
    and ($4::text is null or exists (
      select from jsonb_array_elements_text(r.definition -> 'eventTypes') p
      where p in ('*', $4::text) or right(p, 2) = '.*' and starts_with($4::text, left(p, -1))))
    and ($5::boolean is null or r.enabled = $5::boolean)
    and ($6::uuid is null or r.id < $6::uuid)
    and ($7::uuid is null or r.id > $7::uuid)
  order by r.id ${order}
  limit $8::int`
const newestSql: Statement = { name: 'rules_page_newest', text: pageText('desc') }
const oldestSql: Statement = { name: 'rules_page_oldest', text: pageText('asc') }

/** One page of a tenant's rules, from the newest or from the oldest on. */
export async function pageRules(on: Queryable, tenantId: string, page: RulePage): Promise<RuleRow[]> {
  const { name, domain, eventType, enabled, below, above, newestFirst, limit } = page
  const values = [tenantId, name, domain, eventType, enabled, below, above, limit]
  return run<RuleRow & Record<string, unknown>>(on, newestFirst ? newestSql : oldestSql, values)
}

export interface RuleFaultRow {
  rule_id: string
  streak: number
  total: string
  last_at: Date
  last_code: string
  last_part: string
  last_message: string
  last_intent_id: string
}

const faultsSql: Statement = {
  name: 'rule_faults_find',
  text: `select f.rule_id, f.streak, f.total, f.last_at, f.last_code, f.last_part, f.last_message, f.last_intent_id
  from carillon.rule_faults f where f.tenant_id = $1::uuid and f.rule_id = any ($2::uuid[])`,
}

/** How the expressions of rules fail since each rule was last changed; nothing of those that never did. */
export const findRuleFaults = (on: Queryable, tenantId: string, ids: readonly string[]): Promise<RuleFaultRow[]> =>
  run<RuleFaultRow & Record<string, unknown>>(on, faultsSql, [tenantId, ids])

const historySql: Statement = {
  name: 'rule_versions_history',
  text: `select v.rule_id as id, v.name, v.version, v.definition, v.enabled, v.valid_from, v.valid_to, v.changed_by
  from carillon.rule_versions v where v.tenant_id = $1::uuid and v.rule_id = $2::uuid order by v.version desc limit $3::int`,
}

/** The versions of a rule, the newest first; also of one that is deleted. */
export const findRuleHistory = (
  on: Queryable,
  tenantId: string,
  id: string,
  limit: number,
): Promise<RuleVersionRow[]> => run<RuleVersionRow & Record<string, unknown>>(on, historySql, [tenantId, id, limit])
