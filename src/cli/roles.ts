import { Command, Option } from 'commander'
import { readConfig } from '../config/config.ts'
import { systemClock } from '../platform/clock.ts'
import { inTransaction } from '../platform/db.ts'
import {
  type BindableRole,
  bindableRoles,
  bindLogin,
  findLogin,
  type LoginFacts,
  listBindings,
  unbindLogin,
} from '../store/role-bindings.ts'
import { tenantExists } from '../store/tenants.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { findDatabase, requireMigrated, withPool, withWorkerPool } from './database.ts'
import { CommandError } from './exit-codes.ts'
import { noTenant } from './keys.ts'
import { uuid } from './option-values.ts'
import { columns } from './terminal.ts'

export function rolesCommand(context: CommandContext): Command {
  const bind = new Command('bind')
    .description('Let a database login act for a tenant: call carillon.notify, or read the reporting views.')
    .requiredOption('--login <name>', 'an existing database login')
    .requiredOption('--tenant <uuid>', 'the tenant it acts for', uuid)
    .addOption(
      new Option('--as <role>', 'caller: carillon.notify alone; analyst: reading alone')
        .choices(Object.keys(bindableRoles))
        .makeOptionMandatory(),
    )
  speaking<{ login: string; tenant: string; as: BindableRole }, []>(
    bind,
    context,
    async (terminal, { login, tenant, as }) => {
      const { facts, isNew } = await withOwner(tenant, async (pool) => {
        const found = await findLogin(pool, login)
        if (!found) throw noLogin(login)
        return {
          facts: found,
          isNew: await inTransaction(pool, (trx) =>
            bindLogin(trx, { login, tenantId: tenant, as, now: systemClock.now() }),
          ),
        }
      })
      const warnings = warningsOf(login, facts)
      terminal.document({ login, tenantId: tenant, as, role: bindableRoles[as], isNew, warnings })
      terminal.line(`${login} is ${as} for tenant ${tenant}${isNew ? '' : ' (and was bound to it before)'}`)
      if (!terminal.json) for (const warning of warnings) terminal.remark(`warning: ${warning}`)
    },
  )

  const unbind = new Command('unbind')
    .description('Take a binding back. With its last one the login loses the roles as well.')
    .requiredOption('--login <name>', 'the database login')
    .requiredOption('--tenant <uuid>', 'the tenant it acted for', uuid)
  speaking<{ login: string; tenant: string }, []>(unbind, context, async (terminal, { login, tenant }) => {
    const left = await withOwner(undefined, async (pool) => {
      if (!(await findLogin(pool, login))) throw noLogin(login)
      return inTransaction(pool, (trx) => unbindLogin(trx, { login, tenantId: tenant }))
    })
    if (left === undefined) throw new CommandError('NOT_BOUND', `${login} is not bound to tenant ${tenant}`)
    terminal.document({ login, tenantId: tenant, left })
    terminal.line(`${login} acts for tenant ${tenant} no more${left === 0 ? ', and has lost the roles' : ''}`)
  })

  const list = new Command('list').description('Show which logins act for which tenants.')
  speaking(list, context, async (terminal) => {
    const bindings = await withWorkerPool((pool) => listBindings(pool))
    terminal.document(
      bindings.map((row) => ({ login: row.role_name, tenantId: row.tenant_id, createdAt: row.created_at })),
    )
    for (const row of columns(bindings.map((row) => [row.role_name, row.tenant_id, row.created_at.toISOString()]))) {
      terminal.line(row)
    }
  })

  return new Command('roles')
    .description('Database logins that call carillon.notify or read the reporting views.')
    .addCommand(bind)
    .addCommand(unbind)
    .addCommand(list)
}

/** Granting needs the rights of the login that migrated, so no role is taken on here. */
async function withOwner<T>(tenantId: string | undefined, work: Parameters<typeof withPool<T>>[2]): Promise<T> {
  const databaseUrl = await findDatabase(readConfig())
  await requireMigrated(databaseUrl)
  if (tenantId && !(await withPool(databaseUrl, 'carillon_worker', (pool) => tenantExists(pool, tenantId)))) {
    throw noTenant(tenantId)
  }
  return withPool(databaseUrl, undefined, work)
}

const noLogin = (login: string) =>
  new CommandError('NO_SUCH_LOGIN', `there is no database login ${login}: make it first, with "create role … login"`)

function warningsOf(login: string, facts: LoginFacts): string[] {
  const warnings: string[] = []
  if (facts.isSuperuser) warnings.push(`${login} is a superuser: row-level security does not hold it back`)
  else if (facts.isService) {
    warnings.push(
      `${login} may act as carillon_api or carillon_worker: it names its tenants itself, and bindings do not count`,
    )
  }
  if (!facts.canLogin)
    warnings.push(`${login} cannot log in: bindings count for the login of a session, not for its groups`)
  return warnings
}
