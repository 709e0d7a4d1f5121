import { Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../platform/clock.ts'
import { findService, type ServiceOptions, withServiceOptions } from './client/find-service.ts'
import { type DryRunAnswer, type DryRunExample, followDryRun } from './client/follow-dry-run.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { CommandError } from './exit-codes.ts'
import { momentOrAgo } from './option-values.ts'
import { columns, shade, type Terminal } from './terminal.ts'

interface DryRunOptions extends ServiceOptions {
  rule?: string
  name?: string
  replaces?: string
  preferenceDefaults?: string
  limits?: string
  quietHours?: QuietHours
  since: Date
  until?: Date
  sample: number
}

interface QuietHours {
  enabled: true
  startTime: string
  endTime: string
  timezone?: string
}

export function dryRunCommand(context: CommandContext): Command {
  const command = new Command('dry-run')
    .description(
      'Try a draft of a rule, preference defaults or limits on the events of a period; nothing is written or sent.',
    )
    .option('--rule <file>', 'a rule as YAML: stands in for the one of its name, or is one more')
    .option('--name <name>', 'which rule of the file, where it has several')
    .option('--replaces <name>', 'the rule that it stands in for, where that has another name')
    .option('--preference-defaults <file>', 'YAML or JSON, merged into the defaults of then')
    .option('--quiet-hours <span>', 'quiet hours by default: 22:00-07:00, or 22:00-07:00@Europe/Berlin', quietHours)
    .option('--limits <file>', 'YAML or JSON: each stands in for the one of its name, or is one more')
    .requiredOption('--since <time>', 'a time, or how long ago: 7d', momentOrAgo)
    .option('--until <time>', 'by default now', momentOrAgo)
    .option('--sample <count>', 'how many examples of each', exampleCount, 20)
    .addHelpText(
      'after',
      `
Examples:
  carillon dry-run --rule rules/big-orders.yaml --since 7d
  carillon dry-run --quiet-hours 22:00-07:00 --since 30d --until 1d

See docs/dry-run.md.`,
    )
  return speaking<DryRunOptions, []>(withServiceOptions(command), context, async (terminal, options) => {
    const input = await inputOf(options)
    const service = await findService(options)
    const result = await followDryRun(service, input, ({ share, events, reachedAt }) => {
      terminal.progress(`${String(Math.floor(share * 100)).padStart(3)} %  ${events} events, up to ${reachedAt}`)
    })
    terminal.endProgress()
    terminal.document(result)
    tell(terminal, result)
  })
}

async function inputOf(options: DryRunOptions): Promise<Record<string, unknown>> {
  const { rule, preferenceDefaults, limits, since, sample } = options
  if (!rule && !preferenceDefaults && !limits && !options.quietHours) {
    throw fault('say what to try: --rule, --preference-defaults, --quiet-hours or --limits')
  }
  if (!rule && (options.name || options.replaces)) throw fault('--name and --replaces need --rule')
  // Only now: YAML takes longer to load than most commands take.
  const { readLimits, readPreferenceDefaults, readRuleInput } = await import('./dry-run/read-draft.ts')
  const defaults = preferenceDefaults === undefined ? {} : await readPreferenceDefaults(preferenceDefaults)
  if (options.quietHours) defaults.quietHours = options.quietHours
  return {
    rule: rule === undefined ? undefined : await readRuleInput(rule, options.name),
    replaces: options.replaces,
    preferenceDefaults: preferenceDefaults || options.quietHours ? defaults : undefined,
    limits: limits === undefined ? undefined : await readLimits(limits),
    since: since.toISOString(),
    until: (options.until ?? systemClock.now()).toISOString(),
    sample,
  }
}

const fault = (message: string) => new CommandError('BAD_OPTIONS', `${message} (see "carillon dry-run --help")`)

function tell(terminal: Terminal, result: DryRunAnswer): void {
  const { events, matched, recipients, byVerdict, faults } = result
  const counts: [string, number][] = [
    ['events', events],
    ['matched', matched],
    ['recipients', recipients],
  ]
  const verdicts = Object.entries(byVerdict).sort((one, other) => other[1] - one[1])
  const rows = [...counts, ...verdicts.map(([verdict, count]): [string, number] => [`  ${verdict}`, count])]
  const width = Math.max(...rows.map(([, count]) => String(count).length))
  for (const row of columns(rows.map(([name, count]) => [name, String(count).padStart(width)]))) terminal.line(row)
  for (const [fault, count] of Object.entries(faults)) {
    terminal.line(shade('yellow', `failed on ${count} events  ${fault}`))
  }
  tellExamples(terminal, 'newly sent', 'green', result.newlySentCount, result.newlySent)
  tellExamples(terminal, 'no longer sent', 'red', result.noLongerSentCount, result.noLongerSent)
  terminal.line()
  terminal.line('Nothing was written.')
}

function tellExamples(
  terminal: Terminal,
  title: string,
  how: 'green' | 'red',
  count: number,
  examples: readonly DryRunExample[],
): void {
  terminal.line()
  terminal.line(shade('bold', `${title}: ${count}`))
  const rows = examples.map(({ at, recipientId, type, eventId, intentId, verdict }) => [
    `  ${at}`,
    recipientId,
    type,
    eventId ?? intentId,
    verdict,
  ])
  for (const row of columns(rows)) terminal.line(shade(how, row))
  if (count > examples.length && examples.length > 0) terminal.line(`  … and ${count - examples.length} more`)
}

const timeOfDay = '([01]\\d|2[0-3]):[0-5]\\d'
const span = new RegExp(`^(?<startTime>${timeOfDay})-(?<endTime>${timeOfDay})(@(?<timezone>.+))?$`)

function quietHours(text: string): QuietHours {
  const found = span.exec(text)?.groups
  if (found) return { enabled: true, startTime: found.startTime!, endTime: found.endTime!, timezone: found.timezone }
  throw new InvalidArgumentError('It must be a span such as 22:00-07:00 or 22:00-07:00@Europe/Berlin.')
}

function exampleCount(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= 100) return value
  throw new InvalidArgumentError('It must be a number from 0 to 100.')
}
