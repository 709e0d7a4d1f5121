import { performance } from 'node:perf_hooks'
import type { ChunkJob } from './dispatcher.ts'

/** Jobs that are worked, completed and failed together. */
export interface Unit {
  tenant: string
  /** Greater goes first among the tenant's own. */
  priority: number
  /** None where the work is done in jobs that another unit keeps for it. */
  jobs: ChunkJob[]
  /** How many ids it works on. */
  size: number
  /**
   * Resolves when all of it is settled. A throw sends its jobs back to be tried again. `isOurs` says whether nobody else can
   * have taken them over meanwhile: ask it before what cannot be undone. Its place is free when it resolves; its jobs are
   * kept until what it gave to `keepFor` has ended as well, and failed if that fails.
   */
  work(isOurs: () => boolean, keepFor: (rest: Promise<void>) => void): Promise<void>
  /** At a stop it is begun all the same, and hands back what it can itself: its jobs would come again as if it had been lost. */
  handsBackItself?: true
  /** Both as one, where that is cheaper and allowed: asked while they wait. */
  merge?(next: Unit): Unit | undefined
}

export interface LineLimits {
  concurrency: number
  maxSize: number
  worthOwn: number
  room: number
}

/** The units of one queue that this process has taken on: those that wait, and those in work. */
export interface Line {
  /** Takes room for so many ids, before their unit comes. */
  take(tenant: string, size: number): void
  giveBack(tenant: string, size: number): void
  /** Works the unit when its turn comes. Its room was taken before, and is free when it has ended. */
  add(unit: Unit): void
  /** Ids that could be taken on, by whomever. */
  room(): number
  hasRoomFor(tenant: string, size: number): boolean
  /** Tenants that have taken their share. */
  fullTenants(): string[]
  /** Begins everything that waits. */
  openUp(): void
  /** Ids that ended within the last second or so. */
  perSecond(): number
  /** Resolves when some room has become free again, or after so many milliseconds. */
  freed(withinMs: number): Promise<void>
  /** Resolves when no room is taken any more. */
  emptied(): Promise<void>
}

/** Of the room and of what is in work, the share that one tenant may take: the rest is for the others. */
const tenantShare = 0.75
/** How long a small unit waits for the one that runs, which may stand before somebody's lock. */
const patienceMs = 20
const rateWindowMs = 500

interface Tenant {
  waiting: Unit[]
  /** Ids waiting, in work or reserved. */
  taken: number
  running: number
  runningSize: number
}

/**
 * Tenants take turns, and small units of one that wait grow together: the busier, the cheaper. So a tenant's work waits for
 * its own backlog and for a turn of each other tenant, and not for their backlogs.
 */
export function createLine(
  limits: LineLimits,
  on: { run(unit: Unit): Promise<void>; track(work: Promise<void>): void; onFree(): void },
): Line {
  /** In the order of their turns. */
  const tenants = new Map<string, Tenant>()
  let running = 0
  let runningSize = 0
  let isOpen = false
  let isPatient = false
  const whenEmpty: (() => void)[] = []
  const whenFreed: (() => void)[] = []
  let ended = 0
  let sinceMs = performance.now()
  let rate = 0

  function count(size: number): void {
    ended += size
    const ms = performance.now() - sinceMs
    if (ms < rateWindowMs) return
    rate = (ended / ms) * 1_000
    ended = 0
    sinceMs = performance.now()
  }

  function tenantOf(name: string): Tenant {
    let tenant = tenants.get(name)
    if (!tenant) {
      tenant = { waiting: [], taken: 0, running: 0, runningSize: 0 }
      tenants.set(name, tenant)
    }
    return tenant
  }

  /** What the tenants have taken, each counted up to its share at most. */
  function takenInAll(): number {
    let taken = 0
    for (const tenant of tenants.values()) taken += Math.min(tenant.taken, limits.room * tenantShare)
    return taken
  }

  /** `later`: there is no place for it, and those behind it must leave it the next one. */
  function judge(tenant: Tenant, unit: Unit): 'now' | 'not now' | 'later' {
    if (isOpen || running === 0) return 'now'
    if (running >= 2 * limits.concurrency) return 'later'
    if (running >= limits.concurrency && tenant.running > 0) return 'not now'
    if (tenant.runningSize > 0 && tenant.runningSize + unit.size > limits.maxSize * tenantShare) return 'not now'
    return runningSize + unit.size > limits.maxSize ? 'later' : 'now'
  }

  function start(small = isOpen): void {
    let growing = false
    for (let begun = true; begun; ) {
      begun = false
      growing = false
      for (const [name, tenant] of [...tenants]) {
        if (tenant.waiting.length === 0) continue
        const verdict = judge(tenant, tenant.waiting[0]!)
        if (verdict === 'later') break
        if (verdict === 'not now') continue
        const unit = nextUnit(tenant.waiting)
        if (!small && tenant.running > 0 && tenant.waiting.length === 0 && unit.size < limits.worthOwn) {
          tenant.waiting.push(unit) // it grows until something of its own has ended
          growing = true
          continue
        }
        begin(name, tenant, unit)
        begun = true
      }
    }
    if (!growing || isPatient) return
    isPatient = true
    setTimeout(runOutOfPatience, patienceMs)
  }

  function runOutOfPatience(): void {
    isPatient = false
    start(true)
  }

  function enter(waiting: Unit[], unit: Unit): void {
    const place = waiting.findLastIndex(({ priority }) => priority >= unit.priority)
    waiting.splice(place + 1, 0, unit)
  }

  function nextUnit(waiting: Unit[]): Unit {
    let unit = waiting.shift()!
    for (let next = waiting[0]; next; next = waiting[0]) {
      const both = unit.merge?.(next)
      if (!both) break
      unit = both
      waiting.shift()
    }
    return unit
  }

  function begin(name: string, tenant: Tenant, unit: Unit): void {
    tenants.delete(name)
    tenants.set(name, tenant) // the others' turn
    running++
    runningSize += unit.size
    tenant.running++
    tenant.runningSize += unit.size
    on.track(
      on.run(unit).finally(() => {
        running--
        runningSize -= unit.size
        tenant.running--
        tenant.runningSize -= unit.size
        count(unit.size)
        giveBack(name, unit.size)
        start()
        on.onFree()
      }),
    )
  }

  function giveBack(name: string, size: number): void {
    const tenant = tenantOf(name)
    tenant.taken -= size
    if (tenant.taken === 0 && tenant.running === 0 && tenant.waiting.length === 0) tenants.delete(name)
    for (const resolve of whenFreed.splice(0)) resolve()
    if (tenants.size === 0) for (const resolve of whenEmpty.splice(0)) resolve()
  }

  return {
    take(name, size) {
      tenantOf(name).taken += size
    },
    giveBack,
    add(unit) {
      enter(tenantOf(unit.tenant).waiting, unit)
      start()
    },
    room: () => limits.room - takenInAll(),
    hasRoomFor(name, size) {
      const taken = tenants.get(name)?.taken ?? 0
      return taken + size <= limits.room * tenantShare && takenInAll() + size <= limits.room
    },
    fullTenants: () => [...tenants].filter(([, { taken }]) => taken >= limits.room * tenantShare).map(([name]) => name),
    openUp() {
      isOpen = true
      start()
    },
    perSecond() {
      count(0)
      return rate
    },
    freed: (withinMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, withinMs)
        whenFreed.push(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
    emptied: () => new Promise((resolve) => (tenants.size === 0 ? resolve() : void whenEmpty.push(resolve))),
  }
}
