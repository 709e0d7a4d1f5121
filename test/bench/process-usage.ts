/** What processes used, as Linux tells it in /proc. On other systems there is nothing to read, and the figures are absent. */
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessEntry {
  pid: number
  parent: number
  /** Of the program: `postgres`, `java`, `node` … */
  name: string
  /** Of itself and of the children that have ended, in ticks of 10 ms. */
  ticks: number
}

export type Processes = ReadonlyMap<number, ProcessEntry>

export const msPerTick = 10

export function readProcesses(): Processes {
  const processes = new Map<number, ProcessEntry>()
  for (const entry of readFolder('')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = readProc(`${entry}/stat`)
    if (stat === undefined) continue // it has just ended
    // The program's name is in brackets and may hold anything; the fields behind it are numbers.
    const [open, close] = [stat.indexOf('('), stat.lastIndexOf(')')]
    const fields = stat.slice(close + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
    const pid = Number(entry)
    processes.set(pid, { pid, parent: Number(fields[1]), name: stat.slice(open + 1, close), ticks })
  }
  return processes
}

/** The process and all that came from it and still run. */
export function treeOf(processes: Processes, root: number): ProcessEntry[] {
  const children = Map.groupBy(processes.values(), ({ parent }) => parent)
  const from = (entry: ProcessEntry): ProcessEntry[] => [entry, ...(children.get(entry.pid) ?? []).flatMap(from)]
  const entry = processes.get(root)
  return entry ? from(entry) : []
}

/** Of the process and all that came from it, the ended ones too. */
export const ticksOfTree = (processes: Processes, root: number): number =>
  treeOf(processes, root).reduce((sum, { ticks }) => sum + ticks, 0)

/** Processor time of a process and its children so far; undefined where the system does not tell, or no pid is known. */
export function cpuMsOf(pid: number | undefined): number | undefined {
  const processes = readProcesses()
  if (pid === undefined || !processes.has(pid)) return undefined
  return ticksOfTree(processes, pid) * msPerTick
}

/** To the nanosecond, of all threads that live: for a process that does next to nothing. */
export function preciseCpuMsOf(pid: number): number | undefined {
  const threads = readFolder(`${pid}/task`)
  if (threads.length === 0) return undefined
  const ns = threads.map((thread) => Number(readProc(`${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0))
  return ns.reduce((sum, value) => sum + value, 0) / 1e6
}

export interface Memory {
  residentMiB: number
  /** The most it ever was. */
  peakMiB: number
}

export function memoryOf(pid: number | undefined): Memory | undefined {
  const status = pid === undefined ? undefined : readProc(`${pid}/status`)
  if (status === undefined) return undefined
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1_024)
  return { residentMiB: mib('VmRSS'), peakMiB: mib('VmHWM') }
}

/** A process of this run that runs `program` with `argument` on its command line. */
export function findDescendant(program: string, argument: string): number | undefined {
  return treeOf(readProcesses(), process.pid).find(({ pid }) => {
    const [command, ...rest] = readProc(`${pid}/cmdline`)?.split('\0') ?? []
    return command?.split('/').at(-1) === program && rest.includes(argument)
  })?.pid
}

/** The postmaster, seen from one of its backends; undefined where the server is not on this machine, or not ours to see. */
export function parentOf(pid: number): number | undefined {
  return readProcesses().get(pid)?.parent
}

/** A file of /proc; undefined where there is none. */
export function readProc(file: string): string | undefined {
  try {
    return readFileSync(`/proc/${file}`, 'utf8')
  } catch {
    return undefined // not Linux, or the process has ended
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(`/proc/${path}`)
  } catch {
    return [] // as above
  }
}
