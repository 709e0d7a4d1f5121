/** The real program in a process of its own, as a person would run it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

/** Nothing of the surroundings of the test run decides anything but what a test says itself. */
function environment(given: Record<string, string>): Record<string, string> {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env
  return { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), NO_COLOR: '1', ...given }
}

export interface Ended {
  code: number | null
  out: string
  err: string
}

/** Runs a command to its end. */
export async function runCarillon(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = collect(child)
  const [code] = await once(child, 'close')
  return { code, ...ended() }
}

/** Starts a command that goes on until it is told to end. */
export function spawnCarillon(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const said = collect(child)
  const ended = once(child, 'close').then(([code]): Ended => {
    running.delete(child)
    return { code, ...said() }
  })
  return { out: () => said().out, kill: (signal: NodeJS.Signals) => void child.kill(signal), ended }
}

export interface RunningCarillon {
  url: string
  pid: number
  out(): string
  err(): string
  /** Resolves when a line of standard output, past or to come, matches. */
  line(pattern: RegExp): Promise<string>
  kill(signal: NodeJS.Signals): void
  /** How it ended. */
  ended: Promise<Ended>
}

const running = new Set<ChildProcess>()

/** Starts the service, and resolves with its line `ready`. Rejects with what it said when it ends before. */
export async function startCarillon(
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<RunningCarillon> {
  const child = spawn(process.execPath, [main, 'start', ...args], {
    env: environment({ PORT: '0', ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const said = collect(child)
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return { code: code as number | null, ...said() }
  })
  const lines = createInterface(child.stdout)
  const line = async (pattern: RegExp): Promise<string> => {
    const past = said()
      .out.split('\n')
      .find((text) => pattern.test(text))
    if (past !== undefined) return past
    return new Promise((resolve, reject) => {
      const hear = (text: string) => {
        if (!pattern.test(text)) return
        lines.off('line', hear)
        resolve(text)
      }
      lines.on('line', hear)
      void ended.then(({ code, out, err }) => reject(new Error(`it ended with ${code}:\n${out}\n${err}`)))
    })
  }
  const ready = await line(/^ready /)
  return {
    url: ready.slice('ready '.length),
    pid: child.pid!,
    out: () => said().out,
    err: () => said().err,
    line,
    kill: (signal) => void child.kill(signal),
    ended,
  }
}

/** For an `after`: nothing outlives the test file. */
export async function endLeftovers(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      child.kill('SIGTERM')
      const patience = setTimeout(() => child.kill('SIGKILL'), 40_000)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      clearTimeout(patience)
    }),
  )
}

function collect(child: ChildProcess): () => { out: string; err: string } {
  let out = ''
  let err = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  return () => ({ out, err })
}
