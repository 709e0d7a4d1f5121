import { Command, Option } from 'commander'
import { type ParkedReason, parkedReasons } from '../../domain/parked.ts'
import {
  dropParked,
  listParked,
  type ParkedFilter,
  type ParkedMessage,
  pageParked,
} from '../../store/parked-messages.ts'
import { type CommandContext, speaking } from '../command-context.ts'
import { withWorkerPool } from '../database.ts'
import { CommandError } from '../exit-codes.ts'
import { count, uuid } from '../option-values.ts'
import { columns, shade } from '../terminal.ts'

interface Selection {
  topic?: string
  reason?: ParkedReason
  all?: boolean
}

export function parkedCommand(context: CommandContext): Command {
  const list = narrowed(new Command('list').description('Show the newest messages that wait, and why.'))
    .option('--replayed', 'those too that were replayed')
    .option('--limit <number>', 'how many at most', count, 50)
  speaking<Selection & { replayed?: boolean; limit: number }, []>(list, context, async (terminal, options) => {
    const filter = { topic: options.topic, reason: options.reason, withReplayed: options.replayed }
    const parked = await withWorkerPool((pool) => listParked(pool, filter, options.limit))
    terminal.document(parked.map(shown))
    const rows = parked.map((each) => [
      each.id,
      each.parkedAt.toISOString(),
      placeOf(each),
      each.replayedAt ? 'replayed' : each.reason,
      each.detail,
    ])
    for (const line of columns(rows)) terminal.line(line)
    if (parked.length === 0) terminal.line('no message is parked')
  })

  const show = new Command('show')
    .description('Show a message with its headers and its value, whatever that holds of people.')
    .argument('<id>', 'which one', uuid)
  speaking<object, [string]>(show, context, async (terminal, _, id) => {
    const [parked] = await withWorkerPool((pool) => pageParked(pool, { ids: [id], withReplayed: true }, undefined, 1))
    if (!parked) throw new CommandError('NO_SUCH_MESSAGE', `no message ${id} is parked`)
    const { key, value, headers } = parked
    terminal.document({
      ...shown(parked),
      key: key?.toString('base64') ?? null,
      headers,
      value: value?.toString('base64') ?? null,
    })
    terminal.line(shade('bold', `${placeOf(parked)}  ${parked.reason}: ${parked.detail}`))
    if (parked.replayedAt) terminal.line(`replayed at ${parked.replayedAt.toISOString()} as intent ${parked.intentId}`)
    const lines = headers.map((header) => [header.name, readable(Buffer.from(header.value, 'base64'))])
    for (const line of columns([['key', key ? readable(key) : '-'], ...lines])) terminal.line(line)
    terminal.line()
    terminal.line(value ? readable(value) : '(no value)')
  })

  const replay = narrowed(
    new Command('replay')
      .description(
        'Have messages go the way they would have gone. What is accepted is marked, and never replayed again.',
      )
      .argument('[ids...]', 'which ones'),
  ).option('--all', 'all that wait')
  speaking<Selection, [string[]]>(replay, context, async (terminal, options, ids) => {
    const filter = selectionOf(ids, options)
    // Loaded when it is wanted: no other command reads messages.
    const { replayWithSettings } = await import('./replay.ts')
    const report = await withWorkerPool((pool) => replayWithSettings(pool, filter))
    terminal.document(report)
    terminal.line(
      `${report.accepted} accepted, ${report.duplicate} known already, ${report.stillParked} still parked (see "carillon bridge parked").`,
    )
  })

  const drop = narrowed(
    new Command('drop').description('Drop messages for good, with their bytes.').argument('[ids...]', 'which ones'),
  ).option('--all', 'all that wait')
  speaking<Selection, [string[]]>(drop, context, async (terminal, options, ids) => {
    const filter = { ...selectionOf(ids, options), withReplayed: ids.length > 0 }
    const dropped = await withWorkerPool((pool) => dropParked(pool, filter))
    terminal.document({ dropped })
    terminal.line(`${dropped} dropped.`)
  })

  return new Command('parked')
    .description('Messages that could not be read.')
    .addCommand(list, { isDefault: true })
    .addCommand(show)
    .addCommand(replay)
    .addCommand(drop)
}

const narrowed = (command: Command): Command =>
  command
    .option('--topic <name>', 'of this topic alone')
    .addOption(new Option('--reason <reason>', 'for this reason alone').choices(parkedReasons))

/** Nothing is replayed or dropped because somebody forgot to say which. */
function selectionOf(ids: readonly string[], { topic, reason, all }: Selection): ParkedFilter {
  if (ids.length === 0 && !topic && !reason && !all) {
    throw new CommandError('NO_SELECTION', 'say which: ids, --topic, --reason or --all')
  }
  return { ids: ids.length > 0 ? ids.map(uuid) : undefined, topic, reason }
}

const placeOf = ({ topic, partition, offset }: ParkedMessage) => `${topic}/${partition}/${offset}`

const shown = ({ offset, ...rest }: ParkedMessage) => ({ ...rest, offset: offset.toString() })

/** As text where it is some, else in hex; nothing that moves a terminal's cursor. */
function readable(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd')) return text.replaceAll(/(?![\n\t])\p{Cc}/gu, '?')
  const most = 1_024
  return `${bytes.subarray(0, most).toString('hex')}${bytes.length > most ? `… (${bytes.length} bytes)` : ''}`
}
