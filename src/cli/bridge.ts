import { Command, Option } from 'commander'
import { parkedCommand } from './bridge/parked.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { serve } from './start.ts'

export function bridgeCommand(context: CommandContext): Command {
  const command = new Command('bridge')
    .description('Land the messages of request topics as intents, each once, in a process of its own.')
    .addOption(new Option('--log-level <level>', 'by default info; in development warn').env('LOG_LEVEL'))
    .addHelpText(
      'after',
      '\nWhat it reads is in BRIDGE_TOPICS; what it could not read is shown by "carillon bridge parked".',
    )
  speaking<{ logLevel?: string }, []>(command, context, (terminal, { logLevel }) =>
    serve(context, terminal, { role: 'bridge', logLevel }),
  )
  return command.enablePositionalOptions().addCommand(parkedCommand(context))
}
