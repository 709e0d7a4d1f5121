import type { Logger } from '../platform/logger.ts'
import { closeDueDigests } from './close-digests.ts'
import { type DecideAgainDeps, decideAgain, mostSnoozes } from './decide-again.ts'
import { createRecheck, createRefold } from './recheck-members.ts'
import { retimeDigests } from './retime-digests.ts'
import { runSchedules } from './run-schedules.ts'
import { type Sweeper, startSweeper } from './sweeper.ts'

export interface DueDutiesDeps extends DecideAgainDeps {
  keyTtlMs: number
  logger: Logger
}

/** How often an idle process looks for what has fallen due. */
const everyMs = 1_000

/** What falls due by the clock, whoever of the workers sees it first: deliveries that waited, digests, schedules. */
export function startDueDuties(on: DueDutiesDeps): Sweeper {
  const { clock, logger } = on
  const digests = { ...on, recheck: createRecheck(on) }
  const schedules = { ...on, chunkSize: Math.min(500, on.chunkSize), ring: on.wake }
  return startSweeper({
    everyMs,
    logger,
    duties: [
      { name: 'deliveries that waited', most: mostSnoozes, run: () => decideAgain(on) },
      { name: 'digests that move', run: () => retimeDigests({ pool: on.pool, refold: createRefold(on) }, clock.now()) },
      { name: 'digests', run: () => closeDueDigests(digests, clock.now()) },
      { name: 'schedules', run: () => runSchedules(schedules, clock.now()) },
    ],
  })
}
