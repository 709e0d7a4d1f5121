import { Command, Option } from 'commander'
import { type Config, readConfig } from '../config/config.ts'
import { fields } from '../config/schema.ts'
import { type AppRole, roles } from './app-port.ts'
import { createClosing } from './closing.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { findDatabase, requireMigrated } from './database.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { requireFreePort } from './require-free-port.ts'
import { startDevelopment } from './start-development.ts'
import { type Starting, sayReady, startPart } from './start-part.ts'
import type { Terminal } from './terminal.ts'

export interface StartOptions {
  role: AppRole
  logLevel?: string
  npmScript?: string
}

/** Beside the app's own patience with work in flight. */
const closingSlackMs = 1_000

export function startCommand(context: CommandContext): Command {
  const command = new Command('start')
    .description('Start the service. Outside production it brings its own Postgres, migrates, and makes a demo.')
    .addOption(new Option('--role <role>', 'which part of it this process is').choices(roles).default('all'))
    .addOption(new Option('--log-level <level>', 'by default info; in development warn').env('LOG_LEVEL'))
    // npm puts a shell between itself and us, which a signal to npm ends without a word to us. Then we are to end as well.
    .addOption(new Option('--npm-script <name>').env('npm_lifecycle_event').hideHelp())
    .addHelpText(
      'after',
      `
With NODE_ENV=production it needs DATABASE_URL, and a database that "carillon migrate" has prepared.
Ctrl-C or SIGTERM: takes nothing new, finishes or hands back what is under way, and ends. A second one ends at once.
When it serves, it prints a line "ready <url>".`,
    )
  return speaking<StartOptions, []>(command, context, (terminal, options) => serve(context, terminal, options))
}

/** Runs a part of the service until it is asked to end. */
export async function serve(
  context: CommandContext,
  terminal: Terminal,
  { role, logLevel, npmScript }: StartOptions,
): Promise<void> {
  const config = settingsOf(logLevel)
  if (role === 'bridge' && config.KAFKA_BROKERS.length === 0) {
    throw new CommandError('NO_BROKERS', 'a bridge needs KAFKA_BROKERS', exitCodes.config)
  }
  await requireFreePort(config.HOST, config.PORT)
  const closing = createClosing({
    patienceMs: config.SHUTDOWN_TIMEOUT + closingSlackMs,
    withParent: npmScript === 'start',
    onSignal: () => terminal.line('stopping: finishing what is under way (again to stop at once)'),
  })
  // A bridge joins a service that is there already, in development too.
  const starting =
    config.NODE_ENV === 'production' || role === 'bridge'
      ? startProduction({ app: context.app, config, role, terminal, closing })
      : startDevelopment({ app: context.app, config, role, terminal, closing })
  try {
    // Asked to end while it is still starting, it stops at its next step; what that step has opened is closed too.
    starting.catch(() => {})
    await Promise.race([starting, closing.asked])
    const exitCode = await closing.asked
    await starting.catch(() => {})
    if (exitCode !== exitCodes.ok) context.exitWith(exitCode)
  } finally {
    if (!(await closing.closeAll())) {
      terminal.remark('carillon: not everything ended in time; what was under way is taken up at the next start')
      context.exitWith(exitCodes.failed)
    }
    closing.release()
  }
}

/** What a newcomer reads is not to drown in log lines: in development nothing below a warning, unless it is asked for. */
function settingsOf(logLevel: string | undefined): Config {
  const config = readConfig()
  if (!logLevel) return config.NODE_ENV === 'production' ? config : { ...config, LOG_LEVEL: 'warn' }
  const parsed = fields.LOG_LEVEL.parse.safeParse(logLevel)
  if (!parsed.success) throw new CommandError('BAD_OPTIONS', `--log-level ${logLevel} is no level`, exitCodes.config)
  return { ...config, LOG_LEVEL: parsed.data }
}

async function startProduction(on: Starting): Promise<void> {
  const databaseUrl = await findDatabase(on.config)
  await requireMigrated(databaseUrl)
  if (on.closing.signal.aborted) return
  sayReady(on, await startPart(on, databaseUrl))
}
