import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { readConfig } from '../../config/config.ts'
import { hasCaughtUp } from '../../pipeline/stream/read-lane.ts'
import { type FeedReport, type Finding, findingKinds, reconcileFeed } from '../../pipeline/stream/reconcile-feed.ts'
import { systemClock } from '../../platform/clock.ts'
import { type CommandContext, speaking } from '../command-context.ts'
import { withWorkerPool } from '../database.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { duration, momentOrAgo, uuid } from '../option-values.ts'
import { columns, shade, type Terminal } from '../terminal.ts'
import { withFeed } from './open-feed.ts'

interface VerifyOptions {
  from?: Date
  to?: Date
  tenant?: string
  wait?: number | true
}

const lane = 'kafka'
const waitMs = 60_000
const lookMs = 200

export function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description('Compare what Kafka holds with the database: is every event there, once, in order, unchanged?')
    .option('--from <time>', 'events made from then on: a time, or 90m, 36h, 7d ago; by default 1h', momentOrAgo)
    .option('--to <time>', 'events made before then; by default now', momentOrAgo)
    .option('--tenant <uuid>', 'events of this tenant alone', uuid)
    .option(
      '--wait [duration]',
      'first wait until the relay has published all there is, at most 1m or so long',
      duration,
    )
    .addHelpText(
      'after',
      `
Reads as a read_committed consumer does, as a member of no group, and changes nothing.
missing        in the database and passed by the relay, and not in Kafka
doubled        in Kafka more than once
out of order   in its partition after a later event of the same key
changed        with another topic, key, type, subject, tenant or sequence than it would be published with now
foreign        in Kafka and not in the database: of another database, or older than RETENTION_DAYS
Exit code 0: nothing is missing, doubled, out of order or changed. 1: something is.`,
    )
  return speaking<VerifyOptions, []>(command, context, async (terminal, options) => {
    const config = readConfig()
    const period = {
      from: options.from ?? momentOrAgo('1h'),
      to: options.to ?? systemClock.now(),
      tenantId: options.tenant,
    }
    if (period.from >= period.to) throw new CommandError('BAD_OPTIONS', '--from must be before --to')
    await withFeed(config, ({ encoder, reader }) =>
      withWorkerPool(async (pool) => {
        if (options.wait !== undefined) {
          terminal.progress('waiting for the relay')
          const giveUpAt = performance.now() + (options.wait === true ? waitMs : options.wait)
          while (!(await hasCaughtUp(pool, lane))) {
            if (performance.now() > giveUpAt) {
              throw new CommandError('RELAY_BEHIND', 'the relay has not caught up in time', exitCodes.temporary)
            }
            await sleep(lookMs)
          }
        }
        const onProgress = (text: string) => terminal.progress(text)
        const report = await reconcileFeed({ pool, reader, encoder, period, lane, onProgress })
        terminal.endProgress()
        terminal.document(report)
        sayReport(terminal, report)
        if (!report.ok) context.exitWith(exitCodes.failed)
      }),
    )
  })
}

const names = {
  missing: 'missing',
  doubled: 'doubled',
  outOfOrder: 'out of order',
  changed: 'changed',
  foreign: 'foreign',
} as const

function sayReport(terminal: Terminal, report: FeedReport): void {
  const { tenantId, from, to } = report
  terminal.line(shade('bold', `${tenantId ? `tenant ${tenantId}, ` : ''}${from} to ${to}`))
  const rows: [what: string, count: number, remark?: string][] = [
    ['events in the log', report.events],
    ['in Kafka', report.published],
    ['not yet published', report.notYetPublished],
  ]
  if (report.pastRetention > 0) {
    rows.push(['past retention', report.pastRetention, 'the topics keep less than this period'])
  }
  if (report.replayed > 0) rows.push(['replayed', report.replayed, 'published once more by "feed replay"'])
  for (const kind of findingKinds) rows.push([names[kind], report[kind], remarkOn(kind, report)])
  const lines = columns(
    rows.map(([what, count, remark]) => [what, count.toLocaleString('en').padStart(11), remark ?? '']),
  )
  for (const [index, line] of lines.entries()) {
    const kind = findingKinds.find((candidate) => names[candidate] === rows[index]![0])
    const count = rows[index]![1]
    const text = line.trimEnd()
    terminal.line(kind && count > 0 ? shade(kind === 'foreign' ? 'yellow' : 'red', text) : text)
  }
  for (const line of columns(report.findings.map(cellsOf))) terminal.line(line.trimEnd())
  for (const remark of report.remarks) terminal.line(shade('yellow', remark))
  terminal.line(
    report.ok ? shade('green', 'The feed is what the log says.') : shade('red', 'The feed is not what the log says.'),
  )
}

function remarkOn(kind: (typeof findingKinds)[number], report: FeedReport): string {
  if (kind !== 'foreign' || report.foreignBeforeLog === 0) return ''
  return `${report.foreignBeforeLog.toLocaleString('en')} of them from before the log's first day`
}

function cellsOf({ kind, id, type, topic, partition, offset }: Finding): string[] {
  const place = topic === undefined ? '' : `${topic}${partition === undefined ? '' : `/${partition}`}`
  return [names[kind], id ?? 'no event of ours', type ?? '', `${place}${offset === undefined ? '' : ` at ${offset}`}`]
}
