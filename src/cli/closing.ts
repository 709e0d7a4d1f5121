import { type ExitCode, exitCodes } from './exit-codes.ts'

/** How a long-running process ends: asked by a signal, or because something it leans on has gone. */
export interface Closing {
  /** Aborts when the end was asked for. */
  readonly signal: AbortSignal
  /** Resolves, with the exit code, when the end was asked for. */
  readonly asked: Promise<ExitCode>
  ask(exitCode: ExitCode): void
  /** What is to be closed at the end; the last one given is closed first. */
  add(close: () => Promise<void>): void
  /** Closes everything, in order; a part that takes longer than its patience is left, and false is given. */
  closeAll(): Promise<boolean>
  /** Hears of signals no more. */
  release(): void
}

export interface ClosingOptions {
  patienceMs: number
  /** Also ends when the parent process is gone. */
  withParent: boolean
  onSignal(): void
}

/** npm passes Ctrl-C on to a child that the terminal has told already; a person needs longer than this for the second. */
const sameSignalMs = 700
const parentPollMs = 500

/** Listens to SIGINT and SIGTERM: the first asks for the end, the second ends the process at once. */
export function createClosing({ patienceMs, withParent, onSignal }: ClosingOptions): Closing {
  const controller = new AbortController()
  const { promise: asked, resolve } = Promise.withResolvers<ExitCode>()
  const parts: (() => Promise<void>)[] = []
  let firstAt: number | undefined

  function ask(exitCode: ExitCode): void {
    resolve(exitCode)
    controller.abort()
  }

  function onSignalGiven(): void {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      onSignal()
      ask(exitCodes.ok)
    } else if (now - firstAt > sameSignalMs) {
      process.exit(130)
    }
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const name of signals) process.on(name, onSignalGiven)
  const parent = process.ppid
  const watch = withParent
    ? setInterval(() => process.ppid !== parent && firstAt === undefined && onSignalGiven(), parentPollMs).unref()
    : undefined

  return {
    signal: controller.signal,
    asked,
    ask,
    add: (close) => void parts.push(close),
    async closeAll() {
      let inTime = true
      for (const close of parts.splice(0).reverse()) {
        const late = Promise.withResolvers<'late'>()
        const timer = setTimeout(late.resolve, patienceMs, 'late')
        if ((await Promise.race([close(), late.promise])) === 'late') inTime = false
        clearTimeout(timer)
      }
      return inTime
    },
    release() {
      clearInterval(watch)
      for (const name of signals) process.off(name, onSignalGiven)
    },
  }
}
