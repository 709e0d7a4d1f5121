import { Command } from 'commander'
import type { CommandContext } from './command-context.ts'
import { eraseCommand } from './feed/erase.ts'
import { replayCommand } from './feed/replay.ts'
import { tailCommand } from './feed/tail.ts'
import { verifyCommand } from './feed/verify.ts'

export function feedCommand(context: CommandContext): Command {
  return new Command('feed')
    .description('The outward feed to Kafka: look at it, check it against the database, publish of it once more.')
    .addCommand(tailCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(replayCommand(context))
    .addCommand(eraseCommand(context))
}
