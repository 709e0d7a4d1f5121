import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs, type Percentiles, percentilesOf, perSecond } from '../statistics.ts'
import type { LeanHttp } from './lean-http.ts'

/** What is asked, and how an answer is judged. */
export interface LeanRequests {
  /** Notifications, or look-ups, in one request. */
  size: number
  /** The body of the `turn`-th request, and when it should have been sent. */
  bodyOf(turn: number, intendedMs: number): string
  /** How many of the request's things its answer says were done. */
  doneIn(answer: string): number
}

export interface LeanOpenLoop {
  /** Requests a second, whether answers come or not. */
  rate: number
  seconds: number
  /** At the beginning, and not measured. */
  rampMs: number
}

export interface LeanClosedLoop {
  /** Requests in flight. */
  callers: number
  seconds: number
  rampMs: number
}

export interface LeanReport extends Percentiles {
  /** Things done in the measured time; of an open loop those whose answers came within it. */
  perSecond: number
  requests: number
  /** Of all requests, the unmeasured ones too. */
  done: number
  notDone: number
  firstFault?: string
  /** How far behind its own schedule the generator was, at worst. */
  lagMs: number
  /** From the last intended moment to the last answer: more than a request takes is a queue that had grown. */
  drainMs: number
  /** Of this process, in cores. */
  cores: number
}

export function createLeanGenerator(http: LeanHttp, requests: LeanRequests) {
  let turn = 0

  function record() {
    const answersMs: number[] = []
    const report = { requests: 0, done: 0, notDone: 0, firstFault: undefined as string | undefined }
    let counted = 0
    const cpu = process.cpuUsage()
    const beganMs = monotonicMs()
    return {
      beganMs,
      async request(intendedMs: number, fromMs: number, toMs: number): Promise<void> {
        report.requests++
        try {
          const done = requests.doneIn(await http.post(requests.bodyOf(turn++, intendedMs)))
          const now = monotonicMs()
          if (intendedMs >= fromMs) answersMs.push(now - intendedMs)
          if (now >= fromMs && now < toMs) counted += done
          report.done += done
          report.notDone += requests.size - done
        } catch (error) {
          report.notDone += requests.size
          report.firstFault ??= error instanceof Error ? error.message : String(error)
        }
      },
      hasFailed: () => report.firstFault !== undefined,
      close(measuredMs: number, lagMs: number, drainMs: number): LeanReport {
        const { user, system } = process.cpuUsage(cpu)
        const cores = (user + system) / 1_000 / (monotonicMs() - beganMs)
        return {
          ...report,
          ...percentilesOf(answersMs),
          perSecond: perSecond(counted, measuredMs),
          lagMs,
          drainMs,
          cores,
        }
      },
    }
  }

  return {
    /** Time runs from the moment at which a request should have been sent: coordinated omission is corrected for. */
    async open({ rate, seconds, rampMs }: LeanOpenLoop): Promise<LeanReport> {
      const recorder = record()
      const { beganMs } = recorder
      const intervalMs = 1_000 / rate
      const fromMs = beganMs + rampMs
      const toMs = fromMs + seconds * 1_000
      const underWay: Promise<void>[] = []
      let lagMs = 0
      for (let next = beganMs; next < toMs; ) {
        const now = monotonicMs()
        for (; next <= now && next < toMs; next += intervalMs) {
          if (next >= fromMs) lagMs = Math.max(lagMs, now - next)
          underWay.push(recorder.request(next, fromMs, toMs))
        }
        await sleep(1)
      }
      await Promise.all(underWay)
      return recorder.close(toMs - fromMs, lagMs, monotonicMs() - toMs)
    },
    async closed({ callers, seconds, rampMs }: LeanClosedLoop): Promise<LeanReport> {
      const recorder = record()
      const fromMs = recorder.beganMs + rampMs
      const toMs = fromMs + seconds * 1_000
      async function call(): Promise<void> {
        for (let now = monotonicMs(); now < toMs && !recorder.hasFailed(); now = monotonicMs())
          await recorder.request(now, fromMs, toMs)
      }
      await Promise.all(Array.from({ length: callers }, call))
      return recorder.close(toMs - fromMs, 0, monotonicMs() - toMs)
    },
  }
}
