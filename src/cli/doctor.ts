import { Command } from 'commander'
import { type Config, ConfigError, readConfig } from '../config/config.ts'
import { systemClock } from '../platform/clock.ts'
import { type CommandContext, speaking } from './command-context.ts'
import type { Check } from './doctor/check.ts'
import { exitCodes } from './exit-codes.ts'
import { shade, type Terminal } from './terminal.ts'

export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor')
    .description('Look whether everything is as it must be, and say what to do where it is not.')
    .addHelpText('after', '\nExit code 0: nothing fails, though there may be warnings. 1: something does.')
  return speaking(command, context, async (terminal) => {
    const checks: Check[] = []
    const tell = (check: Check) => {
      checks.push(check)
      sayCheck(terminal, check)
    }
    for await (const check of examine((what) => terminal.progress(what))) tell(check)
    const ok = checks.every(({ verdict }) => verdict !== 'fail')
    terminal.document({ ok, checks })
    if (!ok) context.exitWith(exitCodes.failed)
  })
}

async function* examine(progress: (what: string) => void): AsyncIterable<Check> {
  let config: Config
  try {
    config = readConfig()
    yield { name: 'settings', verdict: 'ok', detail: `${config.NODE_ENV}` }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { name, message } of error.faults) {
      yield {
        name: 'settings',
        verdict: 'fail',
        detail: `${name} ${message}`,
        remedy: 'see "carillon config --help" and docs/configuration.md',
      }
    }
    return
  }
  // Loaded when they are wanted: no other command needs a mail or a Kafka client.
  const { checkDatabase } = await import('./doctor/check-database.ts')
  const { checkKafka } = await import('./doctor/check-kafka.ts')
  const { checkDisk, checkMail } = await import('./doctor/check-surroundings.ts')
  progress('asking the database')
  yield* checkDatabase(config, systemClock.now())
  progress('asking the mail server')
  yield await checkMail(config)
  progress('asking Kafka')
  yield* checkKafka(config, systemClock.now())
  if (!config.DATABASE_URL && config.NODE_ENV !== 'production') yield await checkDisk(config.CARILLON_DATA_DIR)
}

const shades = { ok: 'green', off: 'dim', warn: 'yellow', fail: 'red' } as const

function sayCheck(terminal: Terminal, { name, verdict, detail, remedy }: Check): void {
  terminal.line(`${shade(shades[verdict], verdict.padEnd(5))} ${name.padEnd(12)} ${detail}`)
  if (remedy) terminal.line(`      ${''.padEnd(12)} ${shade('dim', `to do: ${remedy}`)}`)
}
