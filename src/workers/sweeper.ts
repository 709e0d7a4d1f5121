import type { Logger } from 'pino'

/** Work that falls due by the clock. `run` gives how much it found; with `most`, what it takes at once, there may be more then. */
export interface Duty {
  name: string
  most?: number
  run(): Promise<number>
}

export interface Sweeper {
  /** Looks now: something may have fallen due. */
  wake(): void
  /** Begins nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>
}

/** Runs duties one after the other, again and again: at once while one found as much as it could take, else each `everyMs`. */
export function startSweeper(options: {
  duties: readonly Duty[]
  everyMs: number
  logger: Pick<Logger, 'error'>
}): Sweeper {
  const { duties, everyMs, logger } = options
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false

  async function sweep(): Promise<void> {
    do {
      again = false
      for (const duty of duties) {
        if (stopped) return
        try {
          if ((await duty.run()) >= (duty.most ?? Number.POSITIVE_INFINITY)) again = true
        } catch (error) {
          logger.error({ err: error, duty: duty.name }, 'what has fallen due could not be done, and is tried again')
        }
      }
    } while (again && !stopped)
  }

  function start(): void {
    clearTimeout(timer)
    if (stopped || running) {
      again = true
      return
    }
    running = sweep().finally(() => {
      running = undefined
      if (!stopped) timer = setTimeout(start, everyMs)
    })
  }
  timer = setTimeout(start, everyMs)

  return {
    wake: start,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
