import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/**
 * How many cores were busy with something that is not of this run, since the call: what makes a figure of a shared
 * machine worth little. Undefined where the system does not tell; it must have /proc, and a server that was given is
 * not among our processes.
 */
export function watchOtherLoad(): () => number | undefined {
  const before = readTicks()
  return () => {
    const after = readTicks()
    if (!before || !after) return undefined
    const others = after.busy - before.busy - (after.own - before.own)
    const share = others / Math.max(1, after.all - before.all)
    return Math.max(0, Math.round(share * cpus().length * 100) / 100)
  }
}

interface Ticks {
  all: number
  busy: number
  /** Of this process and all that came from it, the ended ones too. */
  own: number
}

function readTicks(): Ticks | undefined {
  const stat = read('/proc/stat')
  if (stat === undefined) return undefined
  const [user, nice, system, idle, iowait, irq, softirq, steal] = stat.split('\n')[0]!.split(/\s+/).slice(1).map(Number)
  const busy = user! + nice! + system! + irq! + softirq! + steal!
  return { all: busy + idle! + iowait!, busy, own: ownTicks() }
}

function ownTicks(): number {
  const children = new Map<number, number[]>()
  const ticks = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    if (stat === undefined) continue // it has just ended
    // The program's name is in brackets and may hold anything; the fields behind it are numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
    ticks.set(Number(name), Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]))
  }
  const sum = (pid: number): number =>
    (children.get(pid) ?? []).reduce((total, child) => total + sum(child), ticks.get(pid) ?? 0)
  return sum(process.pid)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
