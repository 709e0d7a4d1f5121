import { stat } from 'node:fs/promises'
import { Command } from 'commander'
import type pg from 'pg'
import { systemClock } from '../platform/clock.ts'
import { asTenants } from '../platform/db.ts'
import { pageRecipients, type RecipientPage, upsertRecipients } from '../store/recipients.ts'
import { tenantExists } from '../store/tenants.ts'
import { createClosing } from './closing.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { withApiPool } from './database.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { noTenant } from './keys.ts'
import { count, fileFormat, names, uuid } from './option-values.ts'
import { exportRecipients } from './recipients/export-recipients.ts'
import { importFile } from './recipients/import-file.ts'
import { type ImportProgress, importFiles } from './recipients/import-state.ts'
import { durationText, progressBar } from './recipients/progress-bar.ts'
import { formatOf, type RecordsFormat } from './recipients/read-records.ts'
import { tenantOf } from './templates.ts'
import type { Terminal } from './terminal.ts'

interface ImportCommandOptions {
  tenant?: string
  format?: RecordsFormat
  ignore?: string[]
  batch: number
  restart?: boolean
  dryRun?: boolean
}

export function recipientsCommand(context: CommandContext): Command {
  const command = new Command('import')
    .description('Write recipients from a file: CSV with a header, or a JSON object a line (NDJSON).')
    .argument('<file>', 'the file; *.csv, *.ndjson and *.jsonl are known by their names')
    .option('--tenant <uuid>', 'whose they are; by default the demo tenant of a development service', uuid)
    .option('--format <format>', 'csv or ndjson', fileFormat)
    .option('--ignore <fields>', 'columns or keys that are left out; may be said several times', names)
    .option('--batch <recipients>', 'how many are written in one transaction', count, 1_000)
    .option('--restart', 'begin anew, where an import of this file was cut off')
    .option('--dry-run', 'judge every line and write the report, but no recipient')
    .addHelpText(
      'after',
      `
Columns: id; name, locale, timezone, enabled, roles, groups (a;b), attributes (JSON) or attributes.<key>, and the channels: email,
phone (sms and voice), sms, voice, push, slack, telegram, discord, webhook … What the file does not have stays as it is, an empty
cell clears, and a channel that it has speaks of that channel alone. See docs/recipients.md.
Lines that are refused stand in FILE.refused.csv, with number and reason; then the exit code is 1.
Cut off, say the same again: it goes on behind the last batch that was written.`,
    )
  speaking<ImportCommandOptions, [string]>(command, context, (terminal, options, file) =>
    runImport(context, terminal, options, file),
  )
  return new Command('recipients')
    .description('Who may be notified.')
    .addCommand(command)
    .addCommand(exportCommand(context))
}

interface ExportCommandOptions {
  tenant?: string
  role?: string
  group?: string
}

function exportCommand(context: CommandContext): Command {
  const command = new Command('export')
    .description('Write recipients to standard output as NDJSON, in the order of their ids: what an import takes.')
    .option('--tenant <uuid>', 'whose they are; by default the demo tenant of a development service', uuid)
    .option('--role <name>', 'only who has it')
    .option('--group <name>', 'only who is in it')
  // With --json or without, a line is a JSON document.
  return speaking<ExportCommandOptions, []>(command, context, async (_terminal, { tenant, role, group }) => {
    const tenantId = await tenantOf(tenant)
    const { out } = context.streams
    await withApiPool(async (pool) => {
      await requireTenant(pool, tenantId)
      const load = (page: RecipientPage) => asTenants(pool, [tenantId], (trx) => pageRecipients(trx, tenantId, page))
      for await (const page of exportRecipients(load, { role, group })) {
        await new Promise<void>((resolve) => out.write(page, () => resolve()))
      }
    })
  })
}

async function runImport(
  context: CommandContext,
  terminal: Terminal,
  options: ImportCommandOptions,
  file: string,
): Promise<void> {
  await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError('FILE_MISSING', `${file} cannot be read (${error.code})`)
  })
  const format = options.format ?? formatOf(file)
  if (!format) throw new CommandError('BAD_OPTIONS', `say what ${file} holds: --format csv or ndjson`)
  const tenantId = await tenantOf(options.tenant)
  const closing = createClosing({ patienceMs: 30_000, withParent: false, onSignal: () => terminal.remark('stopping') })
  const startedMs = performance.now()
  const tell = progressTeller(terminal, context.streams.err.isTTY === true)
  try {
    const result = await withApiPool(async (pool) => {
      await requireTenant(pool, tenantId)
      return importFile({
        path: file,
        format,
        tenantId,
        ignored: options.ignore ?? [],
        batchSize: options.batch,
        restart: options.restart === true || options.dryRun === true,
        signal: closing.signal,
        write: options.dryRun
          ? undefined
          : (profiles) =>
              asTenants(pool, [tenantId], (trx) => upsertRecipients(trx, tenantId, profiles, systemClock.now())),
        onBegin: (left, { records }) => {
          if (left === 'resumed')
            terminal.remark(`going on behind the ${records} entries that are done (--restart begins anew)`)
          if (left === 'other')
            terminal.remark('the file has changed since an import of it was cut off: beginning anew')
        },
        onProgress: tell,
      })
    }).catch((error: unknown) => {
      terminal.endProgress()
      throw error
    })
    terminal.endProgress()
    say(terminal, file, result, options.dryRun === true, (performance.now() - startedMs) / 1_000)
    if (!result.complete) context.exitWith(exitCodes.temporary)
    else if (result.refused > 0) context.exitWith(exitCodes.failed)
  } finally {
    closing.release()
  }
}

async function requireTenant(pool: pg.Pool, tenantId: string): Promise<void> {
  const isThere = await asTenants(pool, [tenantId], (trx) => tenantExists(trx, tenantId))
  if (!isThere) throw noTenant(tenantId)
}

const redrawMs = 100

/** A bar on a terminal; elsewhere a line for each tenth of the file. */
function progressTeller(terminal: Terminal, isTerminal: boolean) {
  const startedMs = performance.now()
  let lastMs = Number.NEGATIVE_INFINITY
  let lastTenth = 0
  let first: { bytes: number; records: number } | undefined
  return ({ records, refused }: ImportProgress, bytes: number, ofBytes: number): void => {
    const nowMs = performance.now()
    first ??= { bytes, records }
    const tenth = Math.floor((bytes / ofBytes) * 10)
    if (isTerminal ? nowMs - lastMs < redrawMs : tenth === lastTenth) return
    lastMs = nowMs
    lastTenth = tenth
    const seconds = (nowMs - startedMs) / 1_000
    const rate = (records - first.records) / seconds
    const left = ((ofBytes - bytes) * seconds) / Math.max(bytes - first.bytes, 1)
    const parts = [`${progressBar(bytes, ofBytes)}  ${records} read`]
    if (refused > 0) parts.push(`${refused} refused`)
    if (rate > 0) parts.push(`${Math.round(rate)}/s`, `${durationText(left)} left`)
    terminal.progress(parts.join(', '))
  }
}

function say(
  terminal: Terminal,
  file: string,
  result: ImportProgress & { complete: boolean },
  isDry: boolean,
  seconds: number,
): void {
  const { records, added, changed, same, refused, complete } = result
  const { reportPath } = importFiles(file)
  const report = refused > 0 ? reportPath : undefined
  terminal.document({ read: records, added, changed, same, refused, complete, dryRun: isDry, report })
  terminal.line(
    isDry
      ? `${records} read, ${records - refused} would be written, ${refused} refused.`
      : `${records} read: ${added} new, ${changed} changed, ${same} as they were, ${refused} refused; ${durationText(seconds)}.`,
  )
  if (report) terminal.line(`What was refused, and why: ${report}`)
  if (!complete) terminal.remark(`cut off after ${records} entries; say the same again to go on`)
}
