import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { readConfig } from '../config/config.ts'
import type { AppPort } from './app-port.ts'
import { bridgeCommand } from './bridge.ts'
import type { CommandContext } from './command-context.ts'
import { configCommand } from './config.ts'
import { doctorCommand } from './doctor.ts'
import { dryRunCommand } from './dry-run.ts'
import { type ExitCode, endingOf, exitCodes } from './exit-codes.ts'
import { explainCommand } from './explain.ts'
import { feedCommand } from './feed.ts'
import { keysCommand } from './keys.ts'
import { limitsCommand } from './limits.ts'
import { maintainCommand } from './maintain.ts'
import { migrateCommand } from './migrate.ts'
import { recipientsCommand } from './recipients.ts'
import { rolesCommand } from './roles.ts'
import { rulesCommand } from './rules.ts'
import { sendCommand } from './send.ts'
import { startCommand } from './start.ts'
import { storiesCommand } from './stories.ts'
import { templatesCommand } from './templates.ts'
import { tenantsCommand } from './tenants.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** The whole command line, with every command. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('carillon')
    .description('Rings e-mail, webhooks, inboxes and more from one Postgres database.')
    .version(version)
    .showHelpAfterError('(add --help for the options)')
    .enablePositionalOptions() // what stands behind a command is that command's
    .addHelpText(
      'after',
      `
Settings are environment variables: "carillon config" shows them all.
Exit codes: 0 done; 1 failed; 69 the database or Kafka is not available; 75 try again later; 78 a fault in the settings.`,
    )
  for (const make of commands) program.addCommand(make(context))
  throwInsteadOfExit(program)
  return program
}

const commands = [
  startCommand,
  sendCommand,
  storiesCommand,
  feedCommand,
  bridgeCommand,
  doctorCommand,
  migrateCommand,
  maintainCommand,
  tenantsCommand,
  keysCommand,
  rolesCommand,
  limitsCommand,
  recipientsCommand,
  templatesCommand,
  rulesCommand,
  explainCommand,
  dryRunCommand,
  configCommand,
]

/** Runs one command line and gives its exit code. */
export async function runProgram(argv: readonly string[], app: AppPort): Promise<number> {
  let exitCode: ExitCode = exitCodes.ok
  const program = createProgram({
    app,
    streams: { out: process.stdout, err: process.stderr },
    exitWith(code) {
      exitCode = code
    },
  })
  process.stdout.on('error', endOnBrokenPipe)

  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    const ending = endingOf(error)
    if (argv.includes('--json')) {
      const { code, message } = ending
      process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`)
    } else {
      process.stderr.write(`carillon: ${ending.message}\n`)
    }
    if (wantsStack()) process.stderr.write(`${stackOf(error)}\n`)
    return ending.exitCode
  } finally {
    process.stdout.off('error', endOnBrokenPipe)
  }
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) throwInsteadOfExit(child)
}

/** `carillon config | head` is no fault of ours. */
function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
}

function wantsStack(): boolean {
  try {
    return ['debug', 'trace'].includes(readConfig().LOG_LEVEL)
  } catch {
    return false // the settings are what failed, and that was said
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? `${error.stack}` : `${error.stack}\ncaused by ${stackOf(error.cause)}`
}
