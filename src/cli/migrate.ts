import { Command } from 'commander'
import { readConfig } from '../config/config.ts'
import { migrate } from '../store/migrate.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { findDatabase } from './database.ts'

export function migrateCommand(context: CommandContext): Command {
  const command = new Command('migrate').description(
    'Bring the database to the state of this release. Safe to run again, and by many at once.',
  )
  return speaking(command, context, async (terminal) => {
    const config = readConfig()
    const databaseUrl = await findDatabase(config)
    terminal.progress('migrating: waiting for the lock')
    const result = await migrate({
      databaseUrl,
      partitionsAheadDays: config.PARTITIONS_AHEAD_DAYS,
      onStep: (step) => terminal.progress(step),
    })
    terminal.endProgress()
    terminal.document({ applied: result.applied, partitions: result.partitions })
    const applied = result.applied.length === 0 ? 'nothing to apply' : `${result.applied.length} migrations applied`
    terminal.line(`The database is up to date: ${applied}, ${result.partitions.length} partitions made.`)
  })
}
