import type { Logger } from 'pino'

/** Work that falls due by the clock. `run` gives how much it found; with `most`, what it takes at once, there may be more then. */
export interface Duty {
  most?: number
  run(): Promise<number>
}

export interface Sweeper {
  /** Looks now: something may have fallen due. */
  wake(): void
  /** Begins nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>
}

/**
 * Looks for which duties something has fallen due, and runs those one after the other, again and again: at once while one found
 * as much as it could take, else each `everyMs`.
 */
export function startSweeper<Name extends string>(options: {
  look(): Promise<Readonly<Record<Name, boolean>>>
  duties: Readonly<Record<Name, Duty>>
  everyMs: number
  logger: Pick<Logger, 'error'>
}): Sweeper {
  const { look, everyMs, logger } = options
  const duties = Object.entries(options.duties) as [Name, Duty][]
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false

  async function guarded<T>(duty: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      logger.error({ err: error, duty }, 'what has fallen due could not be done, and is tried again')
      return undefined
    }
  }

  async function sweep(): Promise<void> {
    do {
      again = false
      const due = await guarded('look', look)
      if (!due) return
      for (const [name, duty] of duties) {
        if (stopped) return
        if (!due[name]) continue
        const found = await guarded(name, () => duty.run())
        if (found !== undefined && found >= (duty.most ?? Number.POSITIVE_INFINITY)) again = true
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
