import type { Logger } from '../platform/logger.ts'
import { findDueWork } from '../store/due-work.ts'
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
    look: () => findDueWork(on.pool, clock.now()),
    duties: {
      snoozes: { most: mostSnoozes, run: () => decideAgain(on) },
      retimed: { run: () => retimeDigests({ pool: on.pool, refold: createRefold(on) }, clock.now()) },
      digests: { run: () => closeDueDigests(digests, clock.now()) },
      schedules: { run: () => runSchedules(schedules, clock.now()) },
    },
  })
}
