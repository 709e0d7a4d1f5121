import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessTime {
  pid: number
  /** Of the program: `postgres`, `java`, `node` … */
  name: string
  /** Processor time so far, its ended children's with it. Hundredths of a second. */
  ticks: number
}

export interface Processes {
  /** A process and all that came from it. */
  descendants(pid: number): ProcessTime[]
}

export const tickMs = 10

/** Every process of this machine; undefined where there is no /proc. */
export function readProcesses(): Processes | undefined {
  if (readProc('stat') === undefined) return undefined
  const children = new Map<number, ProcessTime[]>()
  const known = new Map<number, ProcessTime>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = readProc(`${entry}/stat`)
    if (stat === undefined) continue // it has just ended
    // The program's name is in brackets and may hold anything; the fields behind it are numbers.
    const [open, close] = [stat.indexOf('('), stat.lastIndexOf(')')]
    const [, parent, ...fields] = stat.slice(close + 2).split(' ')
    const ticks = fields.slice(9, 13).reduce((sum, field) => sum + Number(field), 0)
    const time = { pid: Number(entry), name: stat.slice(open + 1, close), ticks }
    known.set(time.pid, time)
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), time])
  }
  const below = (pid: number): ProcessTime[] =>
    (children.get(pid) ?? []).flatMap((child) => [child, ...below(child.pid)])
  return {
    descendants(pid) {
      const self = known.get(pid)
      return self ? [self, ...below(pid)] : []
    },
  }
}

/** A file of /proc; undefined where there is none. */
export function readProc(file: string): string | undefined {
  try {
    return readFileSync(`/proc/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
