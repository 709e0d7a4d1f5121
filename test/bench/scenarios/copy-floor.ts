import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { seed, withClient } from '../seed.ts'
import { monotonicMs, perSecond, spreadOf, tenths } from '../statistics.ts'
import { buildBatch, chunk, chunksPerCommit, countRows, learnRows, openCopyPool, writeBatch } from './copied-rows.ts'

/** How fast this server takes the rows of a notification when nothing is asked of it but to keep them. */
export async function copyFloor({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('copy-floor: a fresh database')
  const database = await server.fresh('migrated')
  const pool = openCopyPool(database.url)
  const connections = pool.options.max!
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
