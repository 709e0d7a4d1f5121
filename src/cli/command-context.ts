import type { Command } from 'commander'
import type { AppPort } from './app-port.ts'
import type { ExitCode } from './exit-codes.ts'
import { createTerminal, type Streams, type Terminal } from './terminal.ts'

/** What every command is given. */
export interface CommandContext {
  app: AppPort
  streams: Streams
  /** What the program ends with; 0 unless a command says otherwise. */
  exitWith(code: ExitCode): void
}

/** Gives a command its `--json`, and its action a terminal that knows whether that was said. */
export function speaking<Options extends object, Args extends unknown[]>(
  command: Command,
  context: CommandContext,
  action: (terminal: Terminal, options: Options, ...args: Args) => Promise<void>,
): Command {
  return command.option('--json', 'answer in JSON, for machines').action(async (...given: unknown[]) => {
    const options = given.at(-2) as Options & { json?: boolean }
    const args = given.slice(0, -2) as Args
    await action(createTerminal(context.streams, options.json === true), options, ...args)
  })
}
