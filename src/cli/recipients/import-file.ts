import { stat } from 'node:fs/promises'
import type { RecipientProfile } from '../../store/recipients.ts'
import {
  beginImport,
  forgetProgress,
  type ImportProgress,
  importFiles,
  type RefusedLine,
  reportRefused,
  saveProgress,
} from './import-state.ts'
import { judgeColumns, readProfile } from './read-profile.ts'
import { type RecordsFormat, readRecords } from './read-records.ts'

export interface ImportOptions {
  path: string
  format: RecordsFormat
  tenantId: string
  /** Fields of the file that are left out. */
  ignored: readonly string[]
  batchSize: number
  /** Begin anew, whatever an import before has done. */
  restart: boolean
  signal: AbortSignal
  /** Absent: nothing is written, but for the report. */
  write?(profiles: readonly RecipientProfile[]): Promise<{ added: string[]; changed: string[] }>
  onBegin(left: 'none' | 'resumed' | 'other', progress: ImportProgress): void
  onProgress(progress: ImportProgress, bytes: number, ofBytes: number): void
}

/**
 * Writes what a file says of recipients, batch by batch. What is done is noted beside the file after each batch, so that the
 * same call goes on where it was cut off; a batch that is written twice is as one that is written once.
 */
export async function importFile(options: ImportOptions): Promise<ImportProgress & { complete: boolean }> {
  const { path, signal } = options
  const { statePath, reportPath } = importFiles(path)
  const { size } = await stat(path)
  const { progress, left } = await beginImport(path, options)
  options.onBegin(left, progress)
  const ignored = new Set(options.ignored)
  const judge = (columns: readonly string[]) => judgeColumns(columns, ignored)
  const skip = progress.records
  let batch = new Map<string, RecipientProfile>()
  let refused: RefusedLine[] = []
  let read = 0

  async function settle(readUntil: number): Promise<void> {
    const written = batch.size > 0 ? await options.write?.([...batch.values()]) : undefined
    if (written) {
      progress.added += written.added.length
      progress.changed += written.changed.length
      progress.same += batch.size - written.added.length - written.changed.length
    }
    progress.reportBytes = await reportRefused(reportPath, progress.reportBytes, refused)
    progress.refused += refused.length
    progress.records = readUntil
    if (options.write) await saveProgress(statePath, progress)
    batch = new Map()
    refused = []
  }

  try {
    for await (const { line, bytes, said, fault } of readRecords(path, options.format, judge)) {
      if (signal.aborted) return { ...progress, complete: false }
      if (++read <= skip) continue
      const judged = said ? readProfile(said, ignored) : { refused: [{ reason: fault ?? 'cannot be read' }] }
      if ('refused' in judged) refused.push({ line, fields: judged.refused })
      else {
        const { profile } = judged
        if (batch.has(profile.externalId)) await settle(read - 1) // the later line has the last word
        batch.set(profile.externalId, profile)
      }
      if (batch.size + refused.length >= options.batchSize) {
        await settle(read)
        options.onProgress(progress, bytes, size)
      }
    }
  } catch (error) {
    if (!isBroken(error)) throw error
    await settle(read) // what could be read before
    throw error
  }
  await settle(read)
  if (options.write) await forgetProgress(statePath)
  return { ...progress, complete: true }
}

const isBroken = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'FILE_BROKEN'
