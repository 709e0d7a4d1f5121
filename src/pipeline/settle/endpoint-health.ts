import type { Logger } from 'pino'
import type { Clock } from '../../platform/clock.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import { type Finished, storable } from './settlement.ts'

const noteSql = statement('settle/note_endpoint_health')

/** Notes of the endpoints that are told of status events how their calls end; for people, and to switch off what is dead. */
export interface EndpointHealth {
  observe(tenantId: string, finished: Finished): void
  /** Writes what has gathered. */
  close(): Promise<void>
}

export interface EndpointHealthOptions {
  pool: Queryable
  clock: Clock
  /** An endpoint whose calls have all failed for longer is switched off. */
  mostFailingMs: number
  /** How long observations gather. Default 5 s: one row of an endpoint changes, and not one a call. */
  gatherMs?: number
  logger: Pick<Logger, 'info' | 'warn'>
}

interface Note {
  tenantId: string
  endpointId: string
  success?: Date
  firstFailure?: Date
  failure?: Date
  said?: string
}

/** What a crash loses of it is not missed: deliveries and attempts tell the same. */
export function createEndpointHealth(options: EndpointHealthOptions): EndpointHealth {
  const { pool, clock, logger } = options
  let notes = new Map<string, Note>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    timer = undefined
    const taken = [...notes.values()]
    notes = new Map()
    if (taken.length === 0) return
    try {
      const rows = await run<{ id: string; switched_off: boolean | null }>(pool, noteSql, [
        plainArray(taken, ({ tenantId }) => tenantId),
        plainArray(taken, ({ endpointId }) => endpointId),
        plainArray(taken, ({ success }) => success?.toISOString()),
        plainArray(taken, ({ firstFailure }) => firstFailure?.toISOString()),
        plainArray(taken, ({ failure }) => failure?.toISOString()),
        textArray(taken, ({ said }) => said),
        clock.now(),
        `${options.mostFailingMs} milliseconds`,
      ])
      const off = rows.filter(({ switched_off }) => switched_off).map(({ id }) => id)
      if (off.length > 0)
        logger.info({ endpoints: off }, 'webhook endpoints were switched off: they have failed for too long')
    } catch (error) {
      logger.warn({ err: error, endpoints: taken.length }, 'the health of webhook endpoints could not be noted')
    }
  }

  return {
    observe(tenantId, { kind, item, outcome, completedAt }) {
      const webhook = item.message?.webhook
      if (kind !== 'tried' || !outcome || !webhook?.statusEvent) return
      const { endpointId } = webhook
      const note = notes.get(endpointId) ?? { tenantId, endpointId }
      if (outcome.kind === 'accepted') note.success = completedAt
      else {
        note.firstFailure ??= completedAt
        note.failure = completedAt
        note.said = storable(outcome.detail, 200)
      }
      notes.set(endpointId, note)
      timer ??= setTimeout(() => {
        writing = writing.then(write)
      }, options.gatherMs ?? 5_000)
    },
    async close() {
      clearTimeout(timer)
      writing = writing.then(write)
      await writing
    },
  }
}
