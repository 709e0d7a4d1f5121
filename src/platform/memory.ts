import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Logger } from 'pino'

type CollectGarbage = (options: { type: 'major'; execution: 'async'; flavor: 'last-resort' }) => Promise<void>

/**
 * Gives back to the system what starting took: loading and compiling leave a heap of three times what the service needs
 * to rest. Takes about a tenth of a second, once.
 */
export function releaseStartupMemory(logger: Pick<Logger, 'debug'>): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as CollectGarbage
  collect({ type: 'major', execution: 'async', flavor: 'last-resort' }).catch((error: Error) =>
    logger.debug({ err: error }, 'the memory of the start was not given back'),
  )
}
