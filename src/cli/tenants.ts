import { Command } from 'commander'
import { systemClock } from '../platform/clock.ts'
import { createIdSource } from '../platform/id-source.ts'
import { createTenant, listTenants } from '../store/tenants.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { withWorkerPool } from './database.ts'
import { CommandError } from './exit-codes.ts'
import { uuid } from './option-values.ts'
import { columns } from './terminal.ts'

export function tenantsCommand(context: CommandContext): Command {
  const create = new Command('create')
    .description('Make a tenant, and print its id.')
    .requiredOption('--name <name>', 'what people call it')
    .option('--id <uuid>', 'its id; by default a new one', uuid)
  speaking<{ name: string; id?: string }, []>(create, context, async (terminal, { name, id }) => {
    const tenant = { id: id ?? createIdSource(systemClock).id(), name, now: systemClock.now() }
    const isNew = await withWorkerPool((pool) => createTenant(pool, tenant))
    if (!isNew) throw new CommandError('TENANT_EXISTS', `there is a tenant ${tenant.id} already`)
    terminal.document({ id: tenant.id, name })
    terminal.line(tenant.id)
  })

  const list = new Command('list').description('Show every tenant.')
  speaking(list, context, async (terminal) => {
    const tenants = await withWorkerPool((pool) => listTenants(pool))
    terminal.document(tenants.map((tenant) => ({ id: tenant.id, name: tenant.name, createdAt: tenant.created_at })))
    for (const row of columns(tenants.map((tenant) => [tenant.id, tenant.created_at.toISOString(), tenant.name]))) {
      terminal.line(row)
    }
  })

  return new Command('tenants').description('The customers of this service.').addCommand(create).addCommand(list)
}
