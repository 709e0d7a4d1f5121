import pg from 'pg'
import { type Queryable, run, type Statement } from '../platform/db.ts'

/** What a database login may be bound as: one that calls carillon.notify, or one that reads the reporting views. */
export const bindableRoles = { caller: 'carillon_caller', analyst: 'carillon_analyst' } as const

export type BindableRole = keyof typeof bindableRoles

export interface LoginFacts {
  canLogin: boolean
  isSuperuser: boolean
  /** It may act as the API or the workers, so it names its tenants itself and bindings do not count for it. */
  isService: boolean
}

const loginSql: Statement = {
  name: 'role_bindings_login',
  text: `select r.rolcanlogin as "canLogin", r.rolsuper as "isSuperuser",
    pg_has_role(r.oid, 'carillon_api', 'member') or pg_has_role(r.oid, 'carillon_worker', 'member') as "isService"
  from pg_roles r where r.rolname = $1::text`,
}

/** What kind of login it is; undefined where there is none of that name. */
export async function findLogin(on: Queryable, login: string): Promise<LoginFacts | undefined> {
  const [facts] = await run<LoginFacts & Record<string, unknown>>(on, loginSql, [login])
  return facts
}

const bindSql: Statement = {
  name: 'role_bindings_bind',
  text: `insert into carillon.role_bindings (tenant_id, role_name, created_at)
  values ($1::uuid, $2::text::name, $3::timestamptz) on conflict do nothing returning tenant_id`,
}

/**
 * Lets a login act for a tenant: grants it the role, and binds it. Call it in a transaction of a login that may grant
 * our roles (the one that migrates). False: it was bound already.
 */
export async function bindLogin(
  trx: Queryable,
  binding: { login: string; tenantId: string; as: BindableRole; now: Date },
): Promise<boolean> {
  await trx.query({ text: `grant ${bindableRoles[binding.as]} to ${pg.escapeIdentifier(binding.login)}` })
  await trx.query({ text: 'set local role carillon_worker' })
  return (await run(trx, bindSql, [binding.tenantId, binding.login, binding.now])).length > 0
}

const unbindSql: Statement = {
  name: 'role_bindings_unbind',
  text: `delete from carillon.role_bindings b where b.tenant_id = $1::uuid and b.role_name = $2::text::name returning b.tenant_id`,
}
const leftSql: Statement = {
  name: 'role_bindings_left',
  text: `select count(*)::int as left from carillon.role_bindings b where b.role_name = $1::text::name`,
}

/**
 * Takes a binding back, and with the last one the roles too. Call it in a transaction, as `bindLogin`. Gives how many
 * bindings the login has left; undefined where there was no such binding.
 */
export async function unbindLogin(
  trx: Queryable,
  binding: { login: string; tenantId: string },
): Promise<number | undefined> {
  await trx.query({ text: 'set local role carillon_worker' })
  const gone = await run(trx, unbindSql, [binding.tenantId, binding.login])
  if (gone.length === 0) return undefined
  const [{ left } = { left: 0 }] = await run<{ left: number }>(trx, leftSql, [binding.login])
  await trx.query({ text: 'reset role' })
  if (left === 0) {
    const roles = Object.values(bindableRoles).join(', ')
    await trx.query({ text: `revoke ${roles} from ${pg.escapeIdentifier(binding.login)}` })
  }
  return left
}

export interface RoleBindingRow {
  tenant_id: string
  role_name: string
  created_at: Date
}

const listSql: Statement = {
  name: 'role_bindings_list',
  text: `select b.tenant_id, b.role_name::text as role_name, b.created_at from carillon.role_bindings b
  order by b.role_name, b.tenant_id`,
}

/** Which logins act for which tenants. Needs carillon_worker. */
export async function listBindings(on: Queryable): Promise<RoleBindingRow[]> {
  return run<RoleBindingRow & Record<string, unknown>>(on, listSql, [])
}
