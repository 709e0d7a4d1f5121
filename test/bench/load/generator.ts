import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs, type Percentiles, percentilesOf } from '../statistics.ts'
import { RefusedError, type Transport } from './transport.ts'

export interface OpenLoop {
  phase: number
  seconds: number
  /** Notifications a second, whether the service keeps up or not. */
  rate: number
  requestSize: number
}

export interface ClosedLoop {
  phase: number
  seconds: number
  requestSize: number
  /** Requests in flight at most. */
  callers: number
  /** Notifications accepted but not settled at most: what is sustained is the whole way, and not accepting alone. */
  window: number
  /** Ends after so many notifications. */
  total?: number
}

export interface LoadReport {
  accepted: number
  duplicates: number
  rejected: number
  /** How often the service answered 503 with Retry-After; the request was sent again when it said. */
  refusals: number
  /** Notifications in requests whose fate is not known. */
  unanswered: number
  firstFault?: string
  /** How far behind its own schedule the generator was, at worst: large figures mean that it, not the service, was late. */
  generatorLagMs: number
  /** Of a request, from its intended moment to its answer. */
  answer: Percentiles
}

export interface Generator {
  use(transport: Transport): void
  runOpen(loop: OpenLoop): Promise<LoadReport>
  runClosed(loop: ClosedLoop): Promise<LoadReport>
  /** What the service says it has settled, all phases together. */
  hearSettled(total: number): void
}

/** As many connections as the transports have: what goes beyond waits here, not yet written out. */
const mostInFlight = 128
const refusalPatienceMs = 300_000

export function createGenerator(): Generator {
  let transport: Transport | undefined
  let nextNumber = 0
  let acceptedTotal = 0
  let settledTotal = 0
  let pendingTotal = 0

  function createRecorder(phase: number) {
    const counts = { accepted: 0, duplicates: 0, rejected: 0, refusals: 0, unanswered: 0 }
    let firstFault: string | undefined
    const answersMs: number[] = []

    async function request(size: number, intendedMs: number): Promise<void> {
      const batch = { first: nextNumber, size, phase, intendedMs: Math.round(intendedMs * 1_000) / 1_000 }
      nextNumber += size
      pendingTotal += size
      try {
        const answer = await untilTaken(() => transport!.send(batch), monotonicMs() + refusalPatienceMs)
        counts.accepted += answer.accepted
        counts.duplicates += answer.duplicates
        counts.rejected += answer.rejected
        acceptedTotal += answer.accepted
        answersMs.push(monotonicMs() - intendedMs)
      } catch (error) {
        counts.unanswered += size
        firstFault ??= error instanceof Error ? error.message : String(error)
      } finally {
        pendingTotal -= size
      }
    }

    async function untilTaken<T>(send: () => Promise<T>, deadlineMs: number): Promise<T> {
      for (;;) {
        try {
          return await send()
        } catch (error) {
          if (!(error instanceof RefusedError) || monotonicMs() > deadlineMs) throw error
          counts.refusals++
          await sleep(error.retryAfterMs)
        }
      }
    }

    const close = (generatorLagMs: number): LoadReport => ({
      ...counts,
      firstFault,
      generatorLagMs,
      answer: percentilesOf(answersMs),
    })
    return { request, close, hasFailed: () => counts.unanswered > 0 }
  }

  return {
    use(next) {
      transport = next
    },
    async runOpen({ phase, seconds, rate, requestSize }) {
      const recorder = createRecorder(phase)
      const intervalMs = (requestSize / rate) * 1_000
      const beganMs = monotonicMs()
      const requests = Math.round((seconds * 1_000) / intervalMs)
      const done = Promise.withResolvers<void>()
      let due = 0
      let sent = 0
      let inFlight = 0
      let lagMs = 0
      const sendDue = (): void => {
        while (sent < due && inFlight < mostInFlight) {
          inFlight++
          void recorder.request(requestSize, beganMs + sent++ * intervalMs).then(() => {
            inFlight--
            sendDue()
          })
        }
        if (sent === requests && inFlight === 0) done.resolve()
      }
      while (due < requests) {
        const now = monotonicMs()
        const wanted = Math.min(requests, Math.floor((now - beganMs) / intervalMs) + 1)
        if (wanted > due) lagMs = Math.max(lagMs, now - beganMs - due * intervalMs)
        due = wanted
        sendDue()
        // A wake-up each millisecond would be a third of what the generator costs.
        await sleep(Math.max(1, Math.floor(beganMs + due * intervalMs - now)))
      }
      await done.promise
      return recorder.close(lagMs)
    },
    async runClosed({ phase, seconds, requestSize, callers, window, total = Number.POSITIVE_INFINITY }) {
      const recorder = createRecorder(phase)
      const endMs = monotonicMs() + seconds * 1_000
      let begun = 0
      async function call(): Promise<void> {
        while (monotonicMs() < endMs && begun < total && !recorder.hasFailed()) {
          const outstanding = acceptedTotal + pendingTotal - settledTotal
          if (outstanding + requestSize > window) await sleep(1)
          else {
            begun += requestSize
            await recorder.request(requestSize, monotonicMs())
          }
        }
      }
      await Promise.all(Array.from({ length: callers }, call))
      return recorder.close(0)
    },
    hearSettled(total) {
      settledTotal = total
    },
  }
}
