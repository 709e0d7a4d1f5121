/** The rows of real notifications, multiplied: a chunk goes through the pipeline once, and what it left is written again by COPY. */
import { availableParallelism } from 'node:os'
import pg from 'pg'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'
import { intentOf, itemsOf } from '../load/load-item.ts'
import { withClient } from '../seed.ts'
import { startService } from '../service/service.ts'
import { until } from '../until.ts'
import { copyIn, copyOut } from './copy.ts'

const tables = [
  'intents',
  'idempotency_keys',
  'notifications',
  'deliveries',
  'delivery_attempts',
  'status_log',
  'audit_batches',
]
/** Notifications that are accepted in one call: under load as many share a row of the log, and so they do here. */
export const chunk = 500
export const chunksPerCommit = 2
const sampleRun = 'sample'
const patienceMs = 30_000

/** The rows of one table as a chunk leaves them, cut where its own ids and keys stand. */
interface RowTemplate {
  table: string
  columns: string
  rows: number
  pieces: Piece[]
}

/** A number is the place of a value of the chunk's own; the others stand in every chunk. */
type Piece = string | number

export interface ChunkTemplate {
  tables: RowTemplate[]
  /** Ids of its stories and of its batches of events; the run of its keys comes after them. */
  ids: number
}

/** Sends a chunk of notifications through the real pipeline, and reads back every row that it left. */
export async function learnRows(databaseUrl: string): Promise<ChunkTemplate> {
  const service = await startService({ databaseUrl, role: 'all' })
  try {
    const items = itemsOf({ first: 0, size: chunk, phase: 0, intendedMs: 0 }, { run: sampleRun, channel: 'email' })
    await service.app.accept!.submit(items.map(intentOf))
    const settled = async () => service.observer.totals().settled === chunk
    await until(settled, patienceMs, 'the sample is settled')
  } finally {
    await service.app.stop()
  }
  return withClient(databaseUrl, async (client) => {
    const { rows: own } = await client.query<{ head: string }>(
      `select left(id::text, 28) as head from (select id from carillon.intents union all select id from carillon.status_log) i
       order by id`,
    )
    const places = new Map([...own.map(({ head }) => head), sampleRun].map((value, place) => [value, place]))
    const templates: RowTemplate[] = []
    for (const table of tables) {
      const columns = await columnsOf(client, table)
      const lines = await copyOut(client, `copy (select ${columns} from carillon.${table}) to stdout`)
      const text = lines.map((line) => `${line}\n`).join('')
      templates.push({ table, columns, rows: lines.length, pieces: cut(text, places) })
    }
    return { tables: templates, ids: own.length }
  })
}

/** Every column that does not fill itself in: the transaction number does. */
async function columnsOf(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ columns: string }>(
    `select string_agg(quote_ident(attname), ', ' order by attnum) as columns
     from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped and attname <> 'xid'`,
    [`carillon.${table}`],
  )
  return rows[0]!.columns
}

/** What may be the chunk's own: the head of an id (the last eight digits tell notification and delivery), or the run of a key. */
const candidates = new RegExp(`([0-9a-f]{8}(?:-[0-9a-f]{4}){4}|${sampleRun}(?=-))`)

const cut = (text: string, places: ReadonlyMap<string, number>): Piece[] =>
  text.split(candidates).map((piece) => places.get(piece) ?? piece)

const ids = createIdSource(systemClock)
let runs = 0

/** One buffer a table, with the rows of a commit. */
export function buildBatch({ tables, ids: count }: ChunkTemplate): Buffer[] {
  const parts = tables.map((): string[] => [])
  for (let turn = 0; turn < chunksPerCommit; turn++) {
    // Fresh ids rise, as those in their places do: a row of the log names the first and the last of its subjects.
    const values = [...Array.from({ length: count }, () => ids.intentId().slice(0, 28)), `copied-${runs++}`]
    for (const [index, { pieces }] of tables.entries())
      for (const piece of pieces) parts[index]!.push(typeof piece === 'string' ? piece : values[piece]!)
  }
  return parts.map((pieces) => Buffer.from(pieces.join('')))
}

export async function writeBatch(
  pool: pg.Pool,
  templates: readonly RowTemplate[],
  buffers: readonly Buffer[],
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    for (const [index, { table, columns }] of templates.entries()) {
      await copyIn(client, `copy carillon.${table} (${columns}) from stdin`, buffers[index]!)
    }
    await client.query('commit')
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

export async function countRows(client: pg.Client): Promise<number> {
  const counts = tables.map((table) => `(select count(*) from carillon.${table})`).join(' + ')
  const { rows } = await client.query<{ count: number }>(`select (${counts})::int as count`)
  return rows[0]!.count
}

export const openCopyPool = (databaseUrl: string) =>
  new pg.Pool({ connectionString: databaseUrl, max: Math.max(2, availableParallelism()), options: '-c timezone=UTC' })

/** Writes so many notifications that were settled a moment ago; tells how many are there. */
export async function copyNotifications(
  pool: pg.Pool,
  template: ChunkTemplate,
  notifications: number,
  onProgress: (written: number) => void,
): Promise<void> {
  let written = 0
  const write = async () => {
    while (written < notifications) {
      written += chunk * chunksPerCommit
      await writeBatch(pool, template.tables, buildBatch(template))
      onProgress(Math.min(written, notifications))
    }
  }
  await Promise.all([write(), write()])
}
