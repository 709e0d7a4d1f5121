import { Command } from 'commander'
import { systemClock } from '../platform/clock.ts'
import { type ApiKeyScope, createApiKey, revokeApiKey } from '../store/api-keys.ts'
import { listApiKeys, tenantExists } from '../store/tenants.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { withWorkerPool } from './database.ts'
import { CommandError } from './exit-codes.ts'
import { scopeList, uuid } from './option-values.ts'
import { columns } from './terminal.ts'

export function keysCommand(context: CommandContext): Command {
  const create = new Command('create')
    .description('Make an API key. It is shown once, and cannot be shown again.')
    .requiredOption('--tenant <uuid>', 'whom it acts for', uuid)
    .requiredOption('--name <name>', 'what it is for')
    .option('--scopes <list>', 'what it may do: send, read, manage', scopeList, ['send', 'read'] as ApiKeyScope[])
  speaking<{ tenant: string; name: string; scopes: ApiKeyScope[] }, []>(
    create,
    context,
    async (terminal, { tenant, name, scopes }) => {
      const made = await withWorkerPool(async (pool) => {
        if (!(await tenantExists(pool, tenant))) throw noTenant(tenant)
        return createApiKey(pool, { tenantId: tenant, name, scopes, now: systemClock.now() })
      })
      terminal.document({ id: made.id, tenantId: tenant, name, scopes, key: made.key })
      terminal.line(made.key)
      if (!terminal.json) terminal.remark('Keep it now: only its hash is stored, so it cannot be shown again.')
    },
  )

  const list = new Command('list')
    .description('Show the API keys, without their secrets.')
    .option('--tenant <uuid>', 'of this tenant alone', uuid)
  speaking<{ tenant?: string }, []>(list, context, async (terminal, { tenant }) => {
    const keys = await withWorkerPool((pool) => listApiKeys(pool, tenant))
    terminal.document(
      keys.map((key) => ({
        id: key.id,
        tenantId: key.tenant_id,
        name: key.name,
        scopes: key.scopes,
        createdAt: key.created_at,
        revokedAt: key.revoked_at,
      })),
    )
    const rows = keys.map((key) => [
      key.id,
      key.tenant_id,
      key.scopes.join(','),
      key.revoked_at ? `revoked ${key.revoked_at.toISOString()}` : 'active',
      key.name,
    ])
    for (const row of columns(rows)) terminal.line(row)
  })

  const revoke = new Command('revoke')
    .description('Revoke an API key; running services follow within five seconds.')
    .requiredOption('--tenant <uuid>', 'whose it is', uuid)
    .requiredOption('--id <uuid>', 'which one: see "keys list"', uuid)
  speaking<{ tenant: string; id: string }, []>(revoke, context, async (terminal, { tenant, id }) => {
    const found = await withWorkerPool((pool) => revokeApiKey(pool, tenant, id, systemClock.now()))
    if (!found) throw new CommandError('NO_SUCH_KEY', `tenant ${tenant} has no key ${id}`)
    terminal.document({ id, tenantId: tenant, revoked: true })
    terminal.line(`revoked ${id}`)
  })

  return new Command('keys').description('API keys of tenants.').addCommand(create).addCommand(list).addCommand(revoke)
}

export const noTenant = (id: string) =>
  new CommandError('NO_SUCH_TENANT', `there is no tenant ${id}: see "carillon tenants list"`)
