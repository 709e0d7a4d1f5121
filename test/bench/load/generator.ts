import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs, type Percentiles, percentilesOf } from '../statistics.ts'
import type { LoadItem } from './load-item.ts'
import type { Transport } from './transport.ts'

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
}

export interface LoadReport {
  accepted: number
  duplicates: number
  rejected: number
  /** Requests whose fate is not known. */
  failedRequests: number
  firstFault?: string
  /** How far behind its own schedule the generator was, at worst: large figures mean that it, not the service, was late. */
  generatorLagMs: number
  /** Of a request, from its intended moment to its answer. */
  answer: Percentiles
}

export interface Generator {
  runOpen(loop: OpenLoop): Promise<LoadReport>
  runClosed(loop: ClosedLoop): Promise<LoadReport>
  /** What the service says it has settled, all phases together. */
  hearSettled(total: number): void
}

export function createGenerator(transport: Transport, run: string): Generator {
  let nextNumber = 0
  let acceptedTotal = 0
  let settledTotal = 0
  let pendingTotal = 0

  function createRecorder(phase: number) {
    const report = {
      accepted: 0,
      duplicates: 0,
      rejected: 0,
      failedRequests: 0,
      firstFault: undefined as string | undefined,
    }
    const answersMs: number[] = []
    async function request(size: number, intendedMs: number): Promise<void> {
      const items: LoadItem[] = Array.from({ length: size }, () => ({ number: nextNumber++, phase, intendedMs, run }))
      pendingTotal += size
      try {
        const answer = await transport.send(items)
        report.accepted += answer.accepted
        report.duplicates += answer.duplicates
        report.rejected += answer.rejected
        acceptedTotal += answer.accepted
        answersMs.push(monotonicMs() - intendedMs)
      } catch (error) {
        report.failedRequests++
        report.firstFault ??= error instanceof Error ? error.message : String(error)
      } finally {
        pendingTotal -= size
      }
    }
    const close = (generatorLagMs: number): LoadReport => ({
      ...report,
      generatorLagMs,
      answer: percentilesOf(answersMs),
    })
    return { request, close, hasFailed: () => report.failedRequests > 0 }
  }

  return {
    async runOpen({ phase, seconds, rate, requestSize }) {
      const recorder = createRecorder(phase)
      const intervalMs = (requestSize / rate) * 1_000
      const beganMs = monotonicMs()
      const requests = Math.round((seconds * 1_000) / intervalMs)
      const underWay: Promise<void>[] = []
      let lagMs = 0
      for (let turn = 0; turn < requests; ) {
        const now = monotonicMs()
        for (; turn < requests && beganMs + turn * intervalMs <= now; turn++) {
          const intendedMs = beganMs + turn * intervalMs
          lagMs = Math.max(lagMs, now - intendedMs)
          underWay.push(recorder.request(requestSize, intendedMs))
        }
        await sleep(1)
      }
      await Promise.all(underWay)
      return recorder.close(lagMs)
    },
    async runClosed({ phase, seconds, requestSize, callers, window }) {
      const recorder = createRecorder(phase)
      const endMs = monotonicMs() + seconds * 1_000
      async function call(): Promise<void> {
        while (monotonicMs() < endMs && !recorder.hasFailed()) {
          const outstanding = acceptedTotal + pendingTotal - settledTotal
          if (outstanding + requestSize > window) await sleep(1)
          else await recorder.request(requestSize, monotonicMs())
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
