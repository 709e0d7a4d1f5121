import { Command } from 'commander'
import { readConfig } from '../config/config.ts'
import { systemClock } from '../platform/clock.ts'
import { listTemplates, upsertTemplates } from '../store/sample-templates.ts'
import { tenantExists } from '../store/tenants.ts'
import { readDevFile } from './client/dev-file.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { withWorkerPool } from './database.ts'
import { CommandError } from './exit-codes.ts'
import { noTenant } from './keys.ts'
import { uuid } from './option-values.ts'
import { readTemplateFolders } from './templates/load-samples.ts'
import { columns } from './terminal.ts'

const whose = 'whose they are; by default the demo tenant of a development service'

export function templatesCommand(context: CommandContext): Command {
  const list = new Command('list').description('Show the templates of a tenant.').option('--tenant <uuid>', whose, uuid)
  speaking<{ tenant?: string }, []>(list, context, async (terminal, options) => {
    const tenantId = await tenantOf(options.tenant)
    const templates = await withWorkerPool((pool) => listTemplates(pool, tenantId))
    terminal.document(templates)
    const rows = templates.map((template) => [
      template.name,
      template.version,
      template.enabled ? '' : 'off',
      template.channels.join(','),
      template.description ?? '',
    ])
    for (const row of columns(rows)) terminal.line(row)
  })

  const load = new Command('load')
    .description('Write templates from a folder of files: new ones, and those whose text has changed.')
    .argument('[folder]', 'a template, or a folder of them; by default the built-in samples')
    .option('--tenant <uuid>', whose, uuid)
  speaking<{ tenant?: string }, [string | undefined]>(load, context, async (terminal, options, folder) => {
    const tenantId = await tenantOf(options.tenant)
    const templates = await readTemplateFolders(folder)
    const written = await withWorkerPool(async (pool) => {
      if (!(await tenantExists(pool, tenantId))) throw noTenant(tenantId)
      return upsertTemplates(pool, tenantId, templates, systemClock.now())
    })
    terminal.document(templates.map(({ name, version }) => ({ name, version, written: written.includes(name) })))
    const rows = templates.map(({ name, version }) => [name, version, written.includes(name) ? 'written' : 'as it was'])
    for (const row of columns(rows)) terminal.line(row)
  })

  return new Command('templates').description('What notifications say.').addCommand(list).addCommand(load)
}

/** The tenant that was named; else the demo tenant of a development service. */
export async function tenantOf(named: string | undefined): Promise<string> {
  if (named) return named
  const { DATABASE_URL, CARILLON_DATA_DIR } = readConfig()
  const dev = DATABASE_URL ? undefined : await readDevFile(CARILLON_DATA_DIR)
  if (dev) return dev.tenantId
  throw new CommandError('NO_TENANT', 'say which tenant: --tenant (see "carillon tenants list")')
}
