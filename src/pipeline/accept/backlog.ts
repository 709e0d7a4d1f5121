import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { intentsQueue } from '../../queue/queues.ts'

const oldestSql = statement('accept/oldest_waiting')

export interface Backlog {
  /** How long accepted intents wait for their planning, as last seen; asking has it looked up again. */
  ageMs(): number
}

const lookEveryMs = 1_000

/** Watches the age of what waits to be planned, while somebody asks. An age that cannot be read is that of before. */
export function createBacklog(on: { pool: Queryable; logger: Pick<Logger, 'warn'> }): Backlog {
  let ageMs = 0
  let lookedMs = Number.NEGATIVE_INFINITY
  let looking = false

  async function look(): Promise<void> {
    looking = true
    try {
      const queues = [intentsQueue('critical'), intentsQueue('bulk')]
      const [row] = await run<{ seconds: number | null }>(on.pool, oldestSql, [queues])
      ageMs = (row?.seconds ?? 0) * 1_000
    } catch (error) {
      on.logger.warn({ err: error }, 'the age of the backlog could not be read')
    } finally {
      lookedMs = performance.now()
      looking = false
    }
  }

  return {
    ageMs() {
      if (!looking && performance.now() - lookedMs > lookEveryMs) void look()
      return ageMs
    },
  }
}
