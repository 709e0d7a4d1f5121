import type { Rule } from '../domain/rule.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

/** What a version of a rule says beside its name, as `definition` holds it: a rule with its moments as text. */
export type RuleDefinition = Omit<Rule, 'id' | 'name' | 'version' | 'enabled' | 'validFrom' | 'validUntil'> & {
  validFrom?: string
  validUntil?: string
}

export interface RuleRow {
  id: string
  name: string
  version: number
  definition: RuleDefinition
  enabled: boolean
  /** switched_off (by a person) or failing (its expressions did); null while it is on. */
  disabled_reason: 'switched_off' | 'failing' | null
  created_at: Date
  updated_at: Date
  updated_by: string
}

type Row = RuleRow & Record<string, unknown>

const columns =
  'r.id, r.name, r.version, r.definition, r.enabled, r.disabled_reason, r.created_at, r.updated_at, r.updated_by'

/** The rule that a row or a version of it says. */
export function ruleOf(row: Pick<RuleRow, 'id' | 'name' | 'version' | 'definition' | 'enabled'>): Rule {
  const { validFrom, validUntil, ...said } = row.definition
  return {
    ...said,
    id: row.id,
    name: row.name,
    version: row.version,
    enabled: row.enabled,
    ...(validFrom === undefined ? {} : { validFrom: new Date(validFrom) }),
    ...(validUntil === undefined ? {} : { validUntil: new Date(validUntil) }),
  }
}

/** What is stored of a rule. */
export function definitionOf(rule: Omit<Rule, 'id' | 'version'>): RuleDefinition {
  const { name: _name, enabled: _enabled, validFrom, validUntil, ...said } = rule
  const {
    id: _id,
    version: _version,
    ...definition
  } = said as Omit<Rule, 'name' | 'enabled' | 'validFrom' | 'validUntil'>
  return {
    ...definition,
    ...(validFrom ? { validFrom: validFrom.toISOString() } : {}),
    ...(validUntil ? { validUntil: validUntil.toISOString() } : {}),
  }
}

const loadSql: Statement = {
  name: 'rules_load',
  text: `select r.id, r.name, r.version, r.definition, r.enabled from carillon.rules r where r.tenant_id = $1::uuid order by r.id`,
}

/** All rules of a tenant as they stand, those that are switched off too, in the order in which they were made. */
export async function loadRules(on: Queryable, tenantId: string): Promise<Rule[]> {
  return (await run<Row>(on, loadSql, [tenantId])).map(ruleOf)
}

export interface RuleVersionRow {
  id: string
  name: string
  version: number
  definition: RuleDefinition
  enabled: boolean
  valid_from: Date
  valid_to: Date | null
  changed_by: string
}

const versionsSql: Statement = {
  name: 'rules_find_versions',
  text: `select v.rule_id as id, v.name, v.version, v.definition, v.enabled, v.valid_from, v.valid_to, v.changed_by
  from unnest($2::uuid[], $3::int[]) as n (id, version)
  join carillon.rule_versions v on v.tenant_id = $1::uuid and v.rule_id = n.id and v.version = n.version
  where v.tenant_id = $1::uuid and v.rule_id = any ($2::uuid[])`,
}

/** Versions of rules by their numbers, also of rules that are deleted since; in no order. */
export async function findRuleVersions(
  on: Queryable,
  tenantId: string,
  named: readonly { id: string; version: number }[],
): Promise<RuleVersionRow[]> {
  if (named.length === 0) return []
  const values = [tenantId, named.map(({ id }) => id), named.map(({ version }) => version)]
  return run<RuleVersionRow & Record<string, unknown>>(on, versionsSql, values)
}

/** The same, as rules. */
export async function loadRuleVersions(
  on: Queryable,
  tenantId: string,
  named: readonly { id: string; version: number }[],
): Promise<Rule[]> {
  return (await findRuleVersions(on, tenantId, named)).map(ruleOf)
}

const atSql: Statement = {
  name: 'rules_at',
  text: `select v.rule_id as id, v.name, v.version, v.definition, v.enabled
  from carillon.rule_versions v
  where v.tenant_id = $1::uuid and v.valid_from <= $2::timestamptz and (v.valid_to is null or v.valid_to > $2::timestamptz)
  order by v.rule_id`,
}

/** The rules of a tenant as they stood at a moment. */
export async function rulesAt(on: Queryable, tenantId: string, at: Date): Promise<Rule[]> {
  return (await run<Row>(on, atSql, [tenantId, at])).map(ruleOf)
}

const lockSql: Statement = {
  name: 'rules_lock',
  text: `select ${columns} from carillon.rules r where r.tenant_id = $1::uuid order by r.id for update`,
}

/** All rules of a tenant, which nobody else changes until the transaction ends. */
export const lockRules = (trx: Queryable, tenantId: string): Promise<RuleRow[]> => run<Row>(trx, lockSql, [tenantId])

const findSql: Statement = {
  name: 'rules_find',
  text: `select ${columns} from carillon.rules r where r.tenant_id = $1::uuid and r.id = any ($2::uuid[])`,
}

/** In no order. */
export const findRules = (on: Queryable, tenantId: string, ids: readonly string[]): Promise<RuleRow[]> =>
  run<Row>(on, findSql, [tenantId, ids])

const lockSomeSql: Statement = {
  name: 'rules_lock_some',
  text: `select ${columns} from carillon.rules r where r.tenant_id = $1::uuid and r.id = any ($2::uuid[]) order by r.id for update`,
}

/**
 * Some rules, which nobody else changes until the transaction ends. To be called before a statement that writes a version:
 * while it waited for a lock itself, the version before it would be written out of its sight.
 */
export const lockSomeRules = (trx: Queryable, tenantId: string, ids: readonly string[]): Promise<RuleRow[]> =>
  run<Row>(trx, lockSomeSql, [tenantId, ids])

const countSql: Statement = {
  name: 'rules_count',
  text: 'select count(*)::int as count from carillon.rules r where r.tenant_id = $1::uuid',
}

export async function countRules(on: Queryable, tenantId: string): Promise<number> {
  const [row] = await run<{ count: number }>(on, countSql, [tenantId])
  return row!.count
}

/*
 * One statement writes any number of rules with their versions. A change that is no change makes no version; a change
 * begins the count of faults anew.
 */
const saveSql: Statement = {
  name: 'rules_save',
  text: `with given as materialized (
    select g.id, g.name, g.definition, g.enabled
    from json_to_recordset($2::json) as g (id uuid, name text, definition jsonb, enabled boolean)
  ), changed as (
    update carillon.rules as r
    set name = g.name, definition = g.definition, enabled = g.enabled, version = r.version + 1,
        disabled_reason = case when not g.enabled then coalesce(r.disabled_reason, 'switched_off') end,
        updated_at = greatest(r.updated_at, $3::timestamptz), updated_by = $4::text
    from given g
    where r.tenant_id = $1::uuid and r.id = g.id
      and (r.name, r.definition, r.enabled) is distinct from (g.name, g.definition, g.enabled)
    returning ${columns}
  ), created as (
    insert into carillon.rules as r (tenant_id, id, name, definition, enabled, disabled_reason, created_at, updated_at, updated_by)
    select $1::uuid, g.id, g.name, g.definition, g.enabled, case when not g.enabled then 'switched_off' end, $3::timestamptz,
           $3::timestamptz, $4::text
    from given g
    where not exists (select from carillon.rules o where o.tenant_id = $1::uuid and o.id = g.id)
    order by g.id
    returning ${columns}
  ), ended as (
    update carillon.rule_versions v set valid_to = c.updated_at
    from changed c
    where v.tenant_id = $1::uuid and v.rule_id = c.id and v.version = c.version - 1
  ), forgiven as (
    delete from carillon.rule_faults f using changed c where f.tenant_id = $1::uuid and f.rule_id = c.id
  ), written as (
    select * from changed union all select * from created
  ), begun as (
    insert into carillon.rule_versions (tenant_id, rule_id, version, name, definition, enabled, valid_from, changed_by)
    select $1::uuid, w.id, w.version, w.name, w.definition, w.enabled, w.updated_at, w.updated_by from written w
  )
  select * from written`,
}

export interface RuleToSave {
  id: string
  name: string
  definition: RuleDefinition
  enabled: boolean
}

/**
 * Writes rules, new ones and others by their ids, in a transaction; gives those that are new or changed. A name that another rule has is a
 * unique violation (23505). `by`: who does it, as the history keeps it.
 */
export async function saveRules(
  trx: Queryable,
  tenantId: string,
  rules: readonly RuleToSave[],
  by: string,
  now: Date,
): Promise<RuleRow[]> {
  if (rules.length === 0) return []
  const ids = rules.map(({ id }) => id)
  await lockSomeRules(trx, tenantId, ids)
  return run<Row>(trx, saveSql, [tenantId, JSON.stringify(rules), now, by])
}

const deleteSql: Statement = {
  name: 'rules_delete',
  text: `with gone as (
    delete from carillon.rules r where r.tenant_id = $1::uuid and r.id = any ($2::uuid[]) returning r.id, r.version
  ), ended as (
    update carillon.rule_versions v set valid_to = greatest(v.valid_from, $3::timestamptz)
    from gone g where v.tenant_id = $1::uuid and v.rule_id = g.id and v.version = g.version
  ), forgotten as (
    delete from carillon.rule_faults f using gone g where f.tenant_id = $1::uuid and f.rule_id = g.id
  )
  select g.id from gone g`,
}

/** Deletes rules, in a transaction; their versions stay. Gives the ids of those that were there. */
export async function deleteRules(
  trx: Queryable,
  tenantId: string,
  ids: readonly string[],
  now: Date,
): Promise<string[]> {
  await lockSomeRules(trx, tenantId, ids)
  return (await run<{ id: string }>(trx, deleteSql, [tenantId, ids, now])).map(({ id }) => id)
}
