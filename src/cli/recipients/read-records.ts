import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { CsvError, type Info, parse } from 'csv-parse'
import { CommandError } from '../exit-codes.ts'

export type RecordsFormat = 'csv' | 'ndjson'

/** One entry of a file: what it says, or why it cannot be read. */
export interface FileRecord {
  /** Where it begins, from 1. */
  line: number
  /** Bytes of the file that are read with it. */
  bytes: number
  said?: Readonly<Record<string, unknown>>
  fault?: string
}

const maxRecordBytes = 1_048_576

export function formatOf(path: string): RecordsFormat | undefined {
  if (/\.(csv|tsv|txt)$/i.test(path)) return 'csv'
  return /\.(ndjson|jsonl|json)$/i.test(path) ? 'ndjson' : undefined
}

/**
 * The entries of a file, in order, in bounded memory. Throws CommandError where the rest cannot be made out, or where
 * `judgeHeader` finds a fault in the columns.
 */
export function readRecords(
  path: string,
  format: RecordsFormat,
  judgeHeader: (columns: readonly string[]) => string | undefined,
): AsyncGenerator<FileRecord> {
  return format === 'csv' ? readCsv(path, judgeHeader) : readNdjson(path)
}

const delimiters = [',', ';', '\t', '|']

/** Of what the first line has most; lists inside a cell are kept apart by `;` or, where that parts the cells, by `|`. */
async function findDelimiter(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0)
    const header = buffer
      .toString('utf8', 0, bytesRead)
      .split(/\r?\n/, 1)[0]!
      .replace(/"[^"]*"/g, '')
    const counts = delimiters.map((delimiter) => header.split(delimiter).length)
    return delimiters[counts.indexOf(Math.max(...counts))]!
  } finally {
    await file.close()
  }
}

async function* readCsv(
  path: string,
  judgeHeader: (columns: readonly string[]) => string | undefined,
): AsyncGenerator<FileRecord> {
  const delimiter = await findDelimiter(path)
  const parser = createReadStream(path).pipe(
    parse({
      bom: true,
      delimiter,
      info: true,
      relax_column_count: true, // judged below, line by line
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
      max_record_size: maxRecordBytes,
    }),
  )
  let header: string[] | undefined
  let before = { lines: 0, empty_lines: 0 }
  const lineAfter = (info: { empty_lines: number }) => before.lines + 1 + info.empty_lines - before.empty_lines
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      const place = { line: lineAfter(info), bytes: info.bytes }
      before = info
      if (!header) {
        header = record
        const found = judgeHeader(header)
        if (found) throw new CommandError('FILE_COLUMNS', `${path}: ${found}`)
      } else if (record.length !== header.length) {
        yield { ...place, fault: `has ${record.length} values where the header has ${header.length}` }
      } else {
        yield { ...place, said: Object.fromEntries(header.map((name, index) => [name, record[index]])) }
      }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = lineAfter(before)
    throw new CommandError(
      'FILE_BROKEN',
      `${path}:${line}: a quote is opened here and not closed; what stands before it was read`,
    )
  }
  if (!header) throw new CommandError('FILE_EMPTY', `${path} is empty: its first line must name the columns`)
}

async function* readNdjson(path: string): AsyncGenerator<FileRecord> {
  let rest: Buffer = Buffer.alloc(0)
  let line = 0
  let bytes = 0
  let isSkipping = false
  const take = (text: Buffer, ending: number): FileRecord | undefined => {
    line++
    bytes += text.length + ending
    const wasSkipping = isSkipping
    isSkipping = false
    if (wasSkipping || text.length > maxRecordBytes) return { line, bytes, fault: 'is longer than 1 MiB' }
    const said = text.toString('utf8').replace(/^\ufeff/, '')
    return said.trim() === '' ? undefined : { line, bytes, ...parsed(said) }
  }
  for await (const chunk of createReadStream(path, { highWaterMark: 262_144 }) as AsyncIterable<Buffer>) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const record = take(Buffer.concat([rest, chunk.subarray(from, end)]), 1)
      rest = Buffer.alloc(0)
      from = end + 1
      if (record) yield record
    }
    rest = Buffer.concat([rest, chunk.subarray(from)])
    if (rest.length > maxRecordBytes) {
      bytes += rest.length
      rest = Buffer.alloc(0)
      isSkipping = true
    }
  }
  const last = rest.length > 0 || isSkipping ? take(rest, 0) : undefined
  if (last) yield last
}

function parsed(text: string): Pick<FileRecord, 'said' | 'fault'> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { said: { ...value } }
    return { fault: 'is not a JSON object' }
  } catch {
    return { fault: 'is not JSON' }
  }
}
