import { Command } from 'commander'
import { intentIdOf } from '../domain/ids.ts'
import { findService, type ServiceOptions, withServiceOptions } from './client/find-service.ts'
import { type ExplanationAnswer, readExplanation } from './client/read-explanation.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { exitCodes } from './exit-codes.ts'
import { uuid } from './option-values.ts'
import { columns, shade, type Terminal } from './terminal.ts'

export function explainCommand(context: CommandContext): Command {
  const command = new Command('explain')
    .description('Say why somebody was or was not notified: one sentence, then every step.')
    .argument('<id>', 'a notification; or a request or event, and then whom it is asked for', uuid)
    .argument('[recipient]', 'the id of a recipient, who need not have got anything, or an address')
    .addHelpText(
      'after',
      `
Examples:
  carillon explain 01923f6e-1c2d-7b4a-9f00-5a7c00000100
  carillon explain 01923f6e-1c2d-7b4a-9f00-5a7c00000000 user-42

Exit code 0: it was explained. 1: nothing is known of that id. See docs/explain.md.`,
    )
  return speaking<ServiceOptions, [string, string | undefined]>(
    withServiceOptions(command),
    context,
    async (terminal, options, id, recipientId) => {
      const isIntent = intentIdOf(id) === id
      const asked = isIntent || recipientId ? { intentId: intentIdOf(id), recipientId } : { notificationId: id }
      const explanation = await readExplanation(await findService(options), asked)
      if (explanation.outcome === 'unknown') context.exitWith(exitCodes.failed)
      terminal.document(explanation)
      tell(terminal, explanation)
    },
  )
}

function tell(terminal: Terminal, { summary, steps }: ExplanationAnswer): void {
  terminal.line(shade('bold', summary))
  if (steps.length === 0) return
  terminal.line()
  const rows = columns(steps.map(rowOf))
  for (const [index, step] of steps.entries()) {
    const colour = colours[step.verdict]
    terminal.line(colour ? shade(colour, rows[index]!) : rows[index]!)
  }
}

const colours: Readonly<Record<string, 'green' | 'red' | 'yellow' | 'dim'>> = {
  ...Object.fromEntries(
    ['suppress', 'expire', 'fail', 'failed', 'error', 'rejected', 'unmatched'].map((verdict) => [verdict, 'red']),
  ),
  ...Object.fromEntries(['snooze', 'fold', 'wait', 'unknown', 'retrying'].map((verdict) => [verdict, 'yellow'])),
  ...Object.fromEntries(['not_asked', 'no_match'].map((verdict) => [verdict, 'dim'])),
  ...Object.fromEntries(['sent', 'delivered', 'accepted'].map((verdict) => [verdict, 'green'])),
}

function rowOf({
  at,
  stage,
  gate,
  channel,
  verdict,
  reason,
  until,
  inputs,
  versions,
}: ExplanationAnswer['steps'][number]) {
  const said = [
    reason ?? '',
    until ? `until ${until}` : '',
    ...Object.entries(inputs).map(([name, value]) => `${name}=${textOf(value)}`),
    versions
      ? `[${Object.entries(versions)
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(', ')}]`
      : '',
  ]
  return [at, stage, gate, channel?.toLowerCase() ?? '', verdict, said.filter(Boolean).join('  ')]
}

const textOf = (value: unknown) => (typeof value === 'string' && !/[\s=]/.test(value) ? value : JSON.stringify(value))
