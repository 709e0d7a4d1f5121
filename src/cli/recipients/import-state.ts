import { appendFile, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { RefusedField } from './read-profile.ts'

const progressSchema = z.object({
  tenantId: z.string(),
  /** Size and time of the file: another file is another import. */
  file: z.string(),
  ignored: z.array(z.string()),
  /** Entries that are done, and the bytes of the report about them. */
  records: z.int(),
  reportBytes: z.int(),
  added: z.int(),
  changed: z.int(),
  same: z.int(),
  refused: z.int(),
})

/** How far an import has come. */
export type ImportProgress = z.output<typeof progressSchema>

export interface ImportFiles {
  /** Beside the file while an import of it is not finished. */
  statePath: string
  /** Beside the file where lines were refused. */
  reportPath: string
}

export const importFiles = (path: string): ImportFiles => ({
  statePath: `${path}.import-state.json`,
  reportPath: `${path}.refused.csv`,
})

const reportHeader = 'line,field,reason\n'

/** How far the last import of this very file came, or a new beginning. `left` tells what became of an older one. */
export async function beginImport(
  path: string,
  { tenantId, ignored, restart }: { tenantId: string; ignored: readonly string[]; restart: boolean },
): Promise<{ progress: ImportProgress; left: 'none' | 'resumed' | 'other' }> {
  const { size, mtimeMs } = await stat(path)
  const { statePath, reportPath } = importFiles(path)
  const fresh = { tenantId, file: `${size} bytes of ${Math.trunc(mtimeMs)}`, ignored: [...ignored].sort() }
  const before = restart ? undefined : await readProgress(statePath)
  const isSame =
    before?.tenantId === tenantId && before.file === fresh.file && before.ignored.join() === fresh.ignored.join()
  if (before && isSame) {
    // Lines about entries that were not finished come again.
    if (before.reportBytes > 0) await truncate(reportPath, before.reportBytes).catch(ignoreMissing)
    else await rm(reportPath, { force: true })
    return { progress: before, left: 'resumed' }
  }
  await rm(reportPath, { force: true })
  const progress = { ...fresh, records: 0, reportBytes: 0, added: 0, changed: 0, same: 0, refused: 0 }
  return { progress, left: before ? 'other' : 'none' }
}

async function readProgress(statePath: string): Promise<ImportProgress | undefined> {
  try {
    return progressSchema.safeParse(JSON.parse(await readFile(statePath, 'utf8'))).data
  } catch {
    return undefined // none, or not one of ours
  }
}

/** In one step, so that what is read is whole. */
export async function saveProgress(statePath: string, progress: ImportProgress): Promise<void> {
  await writeFile(`${statePath}.new`, `${JSON.stringify(progress)}\n`)
  await rename(`${statePath}.new`, statePath)
}

export async function forgetProgress(statePath: string): Promise<void> {
  await rm(statePath, { force: true })
}

export interface RefusedLine {
  line: number
  fields: readonly RefusedField[]
}

/** Writes lines of the report, and gives how long it is with them. */
export async function reportRefused(
  reportPath: string,
  bytesBefore: number,
  refused: readonly RefusedLine[],
): Promise<number> {
  if (refused.length === 0) return bytesBefore
  const lines = refused.flatMap(({ line, fields }) =>
    fields.map(({ field = '', reason }) => `${line},${quoted(field)},${quoted(reason)}\n`),
  )
  const text = (bytesBefore === 0 ? reportHeader : '') + lines.join('')
  await appendFile(reportPath, text)
  return bytesBefore + Buffer.byteLength(text)
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
