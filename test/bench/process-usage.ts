/** What processes used, as Linux tells it in /proc. On other systems there is nothing to read, and the figures are absent. */
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessEntry {
  parent: number
  /** Of itself and of the children that have ended, in ticks of 10 ms. */
  ticks: number
}

const msPerTick = 10

export function readProcesses(): Map<number, ProcessEntry> {
  const processes = new Map<number, ProcessEntry>()
  for (const name of readFolder('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    if (stat === undefined) continue // it has just ended
    // The program's name is in brackets and may hold anything; the fields behind it are numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
    processes.set(Number(name), { parent: Number(fields[1]), ticks })
  }
  return processes
}

/** The process and all that came from it, the ended ones too. */
export function ticksOfTree(processes: ReadonlyMap<number, ProcessEntry>, root: number): number {
  let sum = processes.get(root)?.ticks ?? 0
  for (const [pid, { parent }] of processes) if (parent === root) sum += ticksOfTree(processes, pid)
  return sum
}

/** Processor time of a process and its children so far; undefined where the system does not tell, or no pid is known. */
export function cpuMsOf(pid: number | undefined): number | undefined {
  const processes = readProcesses()
  if (pid === undefined || !processes.has(pid)) return undefined
  return ticksOfTree(processes, pid) * msPerTick
}

/** To the nanosecond, of all threads that live: for a process that does next to nothing. */
export function preciseCpuMsOf(pid: number): number | undefined {
  const threads = readFolder(`/proc/${pid}/task`)
  if (threads.length === 0) return undefined
  const ns = threads.map((thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0))
  return ns.reduce((sum, value) => sum + value, 0) / 1e6
}

export interface Memory {
  residentMiB: number
  /** The most it ever was. */
  peakMiB: number
}

export function memoryOf(pid: number | undefined): Memory | undefined {
  const status = pid === undefined ? undefined : read(`/proc/${pid}/status`)
  if (status === undefined) return undefined
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1_024)
  return { residentMiB: mib('VmRSS'), peakMiB: mib('VmHWM') }
}

/** A process of this run that runs `program` with `argument` on its command line. */
export function findDescendant(program: string, argument: string): number | undefined {
  const processes = readProcesses()
  const isOurs = (pid: number): boolean => {
    const parent = processes.get(pid)?.parent
    return parent === process.pid || (parent !== undefined && parent > 1 && isOurs(parent))
  }
  return [...processes.keys()].find((pid) => {
    const [command, ...rest] = read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
    return command?.split('/').at(-1) === program && rest.includes(argument) && isOurs(pid)
  })
}

/** The postmaster, seen from one of its backends; undefined where the server is not on this machine, or not ours to see. */
export function parentOf(pid: number): number | undefined {
  return readProcesses().get(pid)?.parent
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // not Linux, or the process has ended
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // as above
  }
}
