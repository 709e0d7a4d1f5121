import { performance } from 'node:perf_hooks'
import type { AcceptAnswer, NewIntent } from '../../domain/intent.ts'
import { priorities } from '../../domain/priority.ts'
import { OverloadedError } from './overload.ts'

/** Thrown to callers while the process is stopping; nothing was accepted. */
export class ShuttingDownError extends Error {
  readonly code = 'SHUTTING_DOWN'
  constructor() {
    super('the service is stopping; send the request again')
  }
}

/**
 * Whether Postgres rolled the batch back for sure: because of its content (SQLSTATE classes 22, 23, 42 and 54), a lock
 * that somebody holds (55P03), a deadlock or a conflict (class 40).
 */
function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^(22|23|40|42|54|55)[0-9A-Z]{3}$/.test(code)
}

interface Waiting {
  intents: readonly NewIntent[]
  sinceMs: number
  resolve(answers: AcceptAnswer[]): void
  reject(error: unknown): void
}

export interface CoalescerOptions {
  /** Commits one batch; each caller gets its answers only after it resolves. */
  accept(intents: readonly NewIntent[]): Promise<AcceptAnswer[]>
  /** Called after a commit with the batch, to wake workers. */
  onCommitted(intents: readonly NewIntent[]): void
  flushMs: number
  flushRows: number
  /** Commits under way at once; further requests gather into the next batch meanwhile. */
  maxInFlight: number
  /** Intents for which a commit is begun while another is under way; fewer wait for its end, though not for long. */
  worthOwn: number
  /** Whether what comes behind has enough to do: then only what is CRITICAL is accepted, for a moment. */
  isCongested?: () => boolean
  /** How old the backlog behind accepting is, and how old it may be before no more is accepted but what is CRITICAL. */
  backlog?: { ageMs(): number; mostMs: number }
}

/** How long a small batch waits for the commit under way, which may stand before somebody's lock. */
const patienceMs = 10
/** How long a batch waits for what comes behind. Then it goes all the same, and further by the queue: that is for bursts. */
const holdMs = 250
const lookAgainMs = 5
/** How long callers are told to wait while the backlog is too old. */
const retryAfterSeconds = 10

export interface Coalescer {
  /** Accepts these intents together with whatever else arrives at the same moment; answers after the commit. */
  submit(intents: readonly NewIntent[]): Promise<AcceptAnswer[]>
  /** How long the first of those that wait has waited, in milliseconds. */
  waitingMs(): number
  /** Flushes what waits, refuses what comes later, and resolves when all is answered. */
  close(): Promise<void>
}

/**
 * Gathers concurrent requests into shared commits: a batch leaves when it is full or a few milliseconds old, and while
 * all commits are taken the next one grows; what is CRITICAL goes first, and then the tenants take turns. If Postgres refuses a batch for something in it, its requests are tried once
 * more each by itself, so that one bad row fails its own caller only. A lost connection is never tried again here: the
 * batch may be in, and only the caller's idempotency key can tell.
 */
export function createCoalescer(options: CoalescerOptions): Coalescer {
  const urgent: Waiting[] = []
  /** By tenant, in the order of their turns. */
  const lines = new Map<string, Waiting[]>()
  let waitingRows = 0
  let inFlight = 0
  let timer: NodeJS.Timeout | undefined
  let closed = false
  /** The batch has waited for others; now it waits for the commit under way. */
  let isDue = false
  let idle: (() => void) | undefined

  function arm(): void {
    if (timer || waitingRows === 0 || inFlight >= options.maxInFlight) return
    timer = setTimeout(ripen, options.flushMs)
  }

  function ripen(): void {
    timer = undefined
    if (inFlight === 0 || waitingRows >= options.worthOwn) {
      flush()
      return
    }
    isDue = true
    timer = setTimeout(flush, patienceMs)
  }

  function holdsBack(): boolean {
    return !closed && options.isCongested?.() === true && ageMs() < holdMs
  }

  function ageMs(): number {
    let sinceMs = urgent[0]?.sinceMs ?? Number.POSITIVE_INFINITY
    for (const [first] of lines.values()) sinceMs = Math.min(sinceMs, first!.sinceMs)
    return Math.max(0, performance.now() - sinceMs)
  }

  function take(): Waiting[] {
    const batch: Waiting[] = []
    let rows = 0
    const takes = ({ intents }: Waiting) => {
      if (batch.length > 0 && rows + intents.length > options.flushRows) return false
      rows += intents.length
      return true
    }
    while (urgent[0] && takes(urgent[0])) batch.push(urgent.shift()!)
    for (let [turn] = holdsBack() ? [] : lines; turn && takes(turn[1][0]!); [turn] = lines) {
      const [tenantId, line] = turn
      batch.push(line.shift()!)
      lines.delete(tenantId)
      if (line.length > 0) lines.set(tenantId, line)
    }
    waitingRows -= rows
    return batch
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    isDue = false
    if (holdsBack()) {
      timer = setTimeout(flush, lookAgainMs)
      if (urgent.length === 0) return
    }
    if (waitingRows === 0 || inFlight >= options.maxInFlight) return
    const batch = take()
    inFlight++
    void commit(batch).finally(() => {
      inFlight--
      if (waitingRows >= options.flushRows || isDue || closed) flush()
      else arm()
      if (inFlight === 0 && waitingRows === 0) idle?.()
    })
    if (waitingRows > 0) arm()
  }

  async function commit(batch: Waiting[]): Promise<void> {
    const intents = batch.length === 1 ? batch[0]!.intents : batch.flatMap((entry) => entry.intents)
    try {
      const answers = await options.accept(intents)
      let from = 0
      for (const entry of batch) {
        entry.resolve(answers.slice(from, from + entry.intents.length))
        from += entry.intents.length
      }
      options.onCommitted(intents)
    } catch (error) {
      if (batch.length === 1 || !isRefusal(error)) {
        for (const entry of batch) entry.reject(error)
        return
      }
      await Promise.all(batch.map((entry) => commit([entry])))
    }
  }

  return {
    submit(intents) {
      if (closed) return Promise.reject(new ShuttingDownError())
      if (intents.length === 0) return Promise.resolve([])
      const isUrgent = intents.every(({ priority }) => priority === priorities.CRITICAL)
      const { backlog } = options
      if (backlog && !isUrgent && backlog.ageMs() > backlog.mostMs) {
        return Promise.reject(new OverloadedError(retryAfterSeconds))
      }
      return new Promise((resolve, reject) => {
        const entry = { intents, sinceMs: performance.now(), resolve, reject }
        const { tenantId } = intents[0]!
        const line = isUrgent ? urgent : lines.get(tenantId)
        if (line) line.push(entry)
        else lines.set(tenantId, [entry])
        waitingRows += intents.length
        if (waitingRows >= options.flushRows || (isDue && waitingRows >= options.worthOwn)) flush()
        else arm()
      })
    },
    waitingMs: ageMs,
    async close() {
      closed = true
      flush()
      if (inFlight > 0 || waitingRows > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve
        })
      }
    },
  }
}
