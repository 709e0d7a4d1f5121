import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'
import { intentOf, keyOf } from '../load/load-item.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { startService } from '../service/service.ts'
import { monotonicMs, perSecond, spreadOf } from '../statistics.ts'
import { copyIn, copyOut } from './copy.ts'

const tables = [
  'intents',
  'idempotency_keys',
  'notifications',
  'deliveries',
  'delivery_attempts',
  'status_events',
  'audit_log',
]
const storiesPerCommit = 1_000

/** The rows of one table as one notification leaves them, cut where its own ids and key stand. */
interface RowTemplate {
  table: string
  columns: string
  lines: { text: string; pieces: Piece[] }[]
}

type Piece = string | { own: 'story' | 'event' | 'key' }

/** How fast this server takes the rows of a notification when nothing is asked of it but to keep them. */
export async function copyFloor({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('copy-floor: a fresh database')
  const database = await server.fresh('migrated')
  const connections = Math.max(2, availableParallelism())
  const pool = new pg.Pool({ connectionString: database.url, max: connections, options: '-c timezone=UTC' })
  try {
    await seed(database.url)
    const templates = await learnRows(database.url)
    const rowsPerNotification = templates.reduce((sum, { lines }) => sum + lines.length, 0)
    const commits = options.quick ? 30 : 60
    const rates: number[] = []
    let written = 1 // the notification that the rows were learnt from
    for (let round = 0; round <= options.rounds; round++) {
      progress.begin(round === 0 ? 'copy-floor: warming up' : `copy-floor: round ${round} of ${options.rounds}`)
      const batches = Array.from({ length: round === 0 ? 4 : commits }, () => buildBatch(templates))
      globalThis.gc?.()
      const beganMs = monotonicMs()
      let next = 0
      const write = async () => {
        for (let at = next++; at < batches.length; at = next++) {
          await writeBatch(pool, templates, batches[at]!)
          progress.show(`${at + 1} of ${batches.length} commits`)
        }
      }
      await Promise.all(Array.from({ length: connections }, write))
      if (round > 0) rates.push(perSecond(batches.length * storiesPerCommit, monotonicMs() - beganMs))
      written += batches.length * storiesPerCommit
    }
    const found = await withClient(database.url, (client) => countRows(client))
    const wanted = written * rowsPerNotification
    const spread = spreadOf(rates)
    return {
      unit: 'notifications',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      rowsPerSecond: Math.round(spread.median * rowsPerNotification),
      rowsPerNotification,
      connections,
      remark: `COPY, ${rowsPerNotification} rows each, ${connections} connections: ${Math.round(spread.median * rowsPerNotification)} rows/s`,
      faults: found === wanted ? [] : [`${found} rows are there, and ${wanted} were written`],
    }
  } finally {
    await pool.end()
    await database.drop()
  }
}

/** Sends one notification through the real pipeline, and reads back every row that it left. */
async function learnRows(databaseUrl: string): Promise<RowTemplate[]> {
  const item = { number: 0, phase: 0, intendedMs: 0, run: 'sample' }
  const service = await startService({ databaseUrl, role: 'all' })
  try {
    await service.app.accept!.submit([intentOf(item)])
    for (let turn = 0; service.observer.totals().settled < 1; turn++) {
      if (turn > 1_000) throw new Error('the sample notification was not settled')
      await sleep(10)
    }
  } finally {
    await service.app.stop()
  }
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ story: string }>('select left(id::text, 28) as story from carillon.intents')
    const events = await client.query<{ id: string }>('select id::text as id from carillon.status_events')
    const own: [string, 'story' | 'event' | 'key'][] = [
      [rows[0]!.story, 'story'],
      [keyOf(item), 'key'],
      ...events.rows.map(({ id }): [string, 'event'] => [id, 'event']),
    ]
    const templates: RowTemplate[] = []
    for (const table of tables) {
      const columns = await columnsOf(client, table)
      const lines = await copyOut(client, `copy (select ${columns} from carillon.${table}) to stdout`)
      templates.push({ table, columns, lines: lines.map((text) => ({ text, pieces: cut(`${text}\n`, own) })) })
    }
    return templates
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

function cut(text: string, own: readonly [string, 'story' | 'event' | 'key'][]): Piece[] {
  let pieces: Piece[] = [text]
  for (const [value, name] of own) {
    pieces = pieces.flatMap((piece) => {
      if (typeof piece !== 'string') return [piece]
      return piece.split(value).flatMap((part, index) => (index === 0 ? [part] : [{ own: name }, part]))
    })
  }
  return pieces
}

const ids = createIdSource(systemClock)
let keys = 0

/** One buffer a table, with the rows of a thousand notifications. */
function buildBatch(templates: readonly RowTemplate[]): Buffer[] {
  const texts = templates.map(() => '')
  for (let story = 0; story < storiesPerCommit; story++) {
    const prefix = ids.intentId().slice(0, 28)
    const key = `copied-${keys++}`
    for (const [index, { lines }] of templates.entries()) {
      for (const { pieces } of lines) {
        const event = ids.id()
        const values = { story: prefix, event, key }
        for (const piece of pieces) texts[index] += typeof piece === 'string' ? piece : values[piece.own]
      }
    }
  }
  return texts.map((text) => Buffer.from(text))
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
