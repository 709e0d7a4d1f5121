import { availableParallelism } from 'node:os'
import pg from 'pg'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'
import { intentOf, itemsOf } from '../load/load-item.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { startService } from '../service/service.ts'
import { monotonicMs, perSecond, spreadOf, tenths } from '../statistics.ts'
import { until } from '../until.ts'
import { copyIn, copyOut } from './copy.ts'

const tables = [
  'intents',
  'idempotency_keys',
  'notifications',
  'deliveries',
  'delivery_attempts',
  'status_log',
  'audit_log',
]
/** Notifications that are accepted in one call: under load as many share a row of the log, and so they do here. */
const chunk = 500
const chunksPerCommit = 2
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

interface ChunkTemplate {
  tables: RowTemplate[]
  /** Ids of its stories and of its batches of events; the run of its keys comes after them. */
  ids: number
}

/** How fast this server takes the rows of a notification when nothing is asked of it but to keep them. */
export async function copyFloor({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('copy-floor: a fresh database')
  const database = await server.fresh('migrated')
  const connections = Math.max(2, availableParallelism())
  const pool = new pg.Pool({ connectionString: database.url, max: connections, options: '-c timezone=UTC' })
  try {
    await seed(database.url)
    const template = await learnRows(database.url)
    const rowsPerChunk = template.tables.reduce((sum, { rows }) => sum + rows, 0)
    const commits = options.quick ? 30 : 60
    const rates: number[] = []
    let written = 1 // the chunk that the rows were learnt from
    for (let round = 0; round <= options.rounds; round++) {
      progress.begin(round === 0 ? 'copy-floor: warming up' : `copy-floor: round ${round} of ${options.rounds}`)
      const batches = Array.from({ length: round === 0 ? 4 : commits }, () => buildBatch(template))
      globalThis.gc?.()
      const beganMs = monotonicMs()
      let next = 0
      const write = async () => {
        for (let at = next++; at < batches.length; at = next++) {
          await writeBatch(pool, template.tables, batches[at]!)
          progress.show(`${at + 1} of ${batches.length} commits`)
        }
      }
      await Promise.all(Array.from({ length: connections }, write))
      const chunks = batches.length * chunksPerCommit
      if (round > 0) rates.push(perSecond(chunks * chunk, monotonicMs() - beganMs))
      written += chunks
    }
    const found = await withClient(database.url, (client) => countRows(client))
    const wanted = written * rowsPerChunk
    const spread = spreadOf(rates)
    const rowsPerNotification = Math.round((rowsPerChunk / chunk) * 1_000) / 1_000
    return {
      unit: 'notifications',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      rowsPerSecond: Math.round(spread.median * rowsPerNotification),
      rowsPerNotification,
      rowsOfAChunk: Object.fromEntries(template.tables.map(({ table, rows }) => [table, rows])),
      connections,
      remark: `COPY, ${tenths(rowsPerNotification)} rows each, ${connections} connections`,
      faults: found === wanted ? [] : [`${found} rows are there, and ${wanted} were written`],
    }
  } finally {
    await pool.end()
    await database.drop()
  }
}

/** Sends a chunk of notifications through the real pipeline, and reads back every row that it left. */
async function learnRows(databaseUrl: string): Promise<ChunkTemplate> {
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
function buildBatch({ tables, ids: count }: ChunkTemplate): Buffer[] {
  const parts = tables.map((): string[] => [])
  for (let turn = 0; turn < chunksPerCommit; turn++) {
    // Fresh ids rise, as those in their places do: a row of the log names the first and the last of its subjects.
    const values = [...Array.from({ length: count }, () => ids.intentId().slice(0, 28)), `copied-${runs++}`]
    for (const [index, { pieces }] of tables.entries())
      for (const piece of pieces) parts[index]!.push(typeof piece === 'string' ? piece : values[piece]!)
  }
  return parts.map((pieces) => Buffer.from(pieces.join('')))
}

async function writeBatch(pool: pg.Pool, templates: readonly RowTemplate[], buffers: readonly Buffer[]): Promise<void> {
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

async function countRows(client: pg.Client): Promise<number> {
  const counts = tables.map((table) => `(select count(*) from carillon.${table})`).join(' + ')
  const { rows } = await client.query<{ count: number }>(`select (${counts})::int as count`)
  return rows[0]!.count
}
