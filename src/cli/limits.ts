import { Command } from 'commander'
import { judgeLimit } from '../domain/limits/limit-rules.ts'
import { systemClock } from '../platform/clock.ts'
import { createIdSource } from '../platform/id-source.ts'
import { deleteSystemLimit, type LimitRow, listLimits, listSystemLimits, setSystemLimit } from '../store/limits.ts'
import { tenantExists } from '../store/tenants.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { withWorkerPool } from './database.ts'
import { CommandError } from './exit-codes.ts'
import { duration, uuid } from './option-values.ts'
import { columns } from './terminal.ts'

interface SetOptions {
  scope: string
  max: string
  window?: number
  calendar?: string
  channel?: string
  category?: string
  onExcess?: string
  allowCritical?: boolean
  tenant?: string
}

export function limitsCommand(context: CommandContext): Command {
  const list = new Command('list')
    .description('Show the limits of the operator; with a tenant, all that concern it.')
    .option('--tenant <id>', 'the tenant', uuid)
  speaking<{ tenant?: string }, []>(list, context, async (terminal, { tenant }) => {
    const limits = await withWorkerPool((pool) => (tenant ? listLimits(pool, tenant) : listSystemLimits(pool)))
    terminal.document(limits)
    for (const row of columns(limits.map(described))) terminal.line(row)
  })

  const set = new Command('set-system')
    .description(
      'Make or change a limit of the operator, by its name. Tenants see those that concern them, and change none.',
    )
    .argument('<name>', 'what people call it')
    .requiredOption('--scope <scope>', 'user (each recipient), tenant (each tenant) or system (the whole installation)')
    .requiredOption('--max <count>', 'how many may be sent')
    .option('--window <duration>', 'in each sliding window of this length: 60s, 1h, 7d', duration)
    .option('--calendar <period>', 'in each calendar day or month (UTC)')
    .option('--channel <channel>', 'only of this channel; by default of all but in_app and audit')
    .option('--category <category>', 'only of this category and those below it')
    .option('--on-excess <what>', 'snooze or suppress the excess; by default as the category says')
    .option('--allow-critical', 'CRITICAL is counted, and let through')
    .option('--tenant <id>', 'only for this tenant', uuid)
  speaking<SetOptions, [string]>(set, context, async (terminal, options, name) => {
    const { scope, max, window, calendar, channel, category, onExcess, allowCritical, tenant } = options
    const windowSeconds = window === undefined ? undefined : window / 1_000
    const { limit, faults } = judgeLimit(
      { name, scope, max: Number(max), windowSeconds, calendar, channel, category, onExcess, allowCritical },
      'operator',
    )
    if (faults) throw new CommandError('LIMIT', faults.map((one) => `${optionOf(one.path)} ${one.message}`).join('; '))
    if (tenant && limit.scope === 'system')
      throw new CommandError('LIMIT', 'a limit of the installation is of no tenant')
    const id = createIdSource(systemClock).id()
    const row = await withWorkerPool(async (pool) => {
      if (tenant && !(await tenantExists(pool, tenant)))
        throw new CommandError('NO_TENANT', `there is no tenant ${tenant}`)
      return setSystemLimit(pool, id, limit, tenant, systemClock.now())
    })
    terminal.document(row)
    terminal.line(described(row).join('  '))
  })

  const remove = new Command('delete-system')
    .description('Delete a limit of the operator.')
    .argument('<name>', 'its name')
  speaking<object, [string]>(remove, context, async (terminal, _options, name) => {
    const isGone = await withWorkerPool((pool) => deleteSystemLimit(pool, name))
    if (!isGone) throw new CommandError('NO_LIMIT', `the operator has no limit "${name}"`)
    terminal.document({ deleted: name })
    terminal.line(`deleted  ${name}`)
  })

  return new Command('limits').description('How much may be sent.').addCommand(list).addCommand(set).addCommand(remove)
}

const optionNames: Record<string, string> = { windowSeconds: '--window', onExcess: '--on-excess' }
const optionOf = ([field = 'name']: readonly string[]) =>
  optionNames[field] ?? (field === 'name' ? field : `--${field}`)

function described(limit: LimitRow): string[] {
  const what = [limit.category, limit.channel].filter((word) => word !== null).join(' ')
  const excess = [limit.on_excess ?? '', limit.allow_critical ? 'critical passes' : ''].filter(Boolean).join(', ')
  return [
    limit.name,
    limit.scope,
    what || 'everything',
    `${limit.max} per ${limit.calendar ?? `${limit.window_seconds} s`}`,
    excess,
    limit.is_operators ? `operator${limit.tenant_id ? ` (${limit.tenant_id})` : ''}` : 'own',
  ]
}
