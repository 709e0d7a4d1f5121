import type { Logger } from '../platform/logger.ts'
import { type DecideAgainDeps, decideAgain, mostSnoozes } from './decide-again.ts'
import { type Sweeper, startSweeper } from './sweeper.ts'

export interface DueDutiesDeps extends DecideAgainDeps {
  logger: Logger
}

/** How often an idle process looks for what has fallen due. */
const everyMs = 1_000

/** What falls due by the clock, whoever of the workers sees it first: deliveries that waited. */
export function startDueDuties(on: DueDutiesDeps): Sweeper {
  return startSweeper({
    everyMs,
    logger: on.logger,
    duties: [{ name: 'decide again', most: mostSnoozes, run: () => decideAgain(on) }],
  })
}
