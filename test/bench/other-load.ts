import { cpus } from 'node:os'
import { readProc, readProcesses, ticksOfTree } from './process-usage.ts'

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
  const stat = readProc('stat')
  if (stat === undefined) return undefined
  const [user, nice, system, idle, iowait, irq, softirq, steal] = stat.split('\n')[0]!.split(/\s+/).slice(1).map(Number)
  const busy = user! + nice! + system! + irq! + softirq! + steal!
  return { all: busy + idle! + iowait!, busy, own: ticksOfTree(readProcesses(), process.pid) }
}
