import { setTimeout as sleep } from 'node:timers/promises'
import type { Progress } from '../progress.ts'
import { monotonicMs, perSecond } from '../statistics.ts'

/** A job queue as the bench drives it, with a handler that does nothing but count. */
export interface PeerQueue {
  name: string
  /** Puts jobs with a payload of one number on the queue, by its fastest documented call. */
  enqueue(count: number): Promise<void>
  handled(): number
  startWorking(): Promise<void>
  stopWorking(): Promise<void>
  /** Whether the database holds no job that is still to be done or to be completed. */
  isEmpty(): Promise<boolean>
}

/** How jobs come in while both sides work. */
export interface Feed {
  /** Jobs in one call of `enqueue`. */
  batch: number
  producers: number
  /** Jobs that wait at most: enough for every fetch to come back full. */
  window: number
  /** Until both sides are at their pace; not measured. */
  rampMs: number
}

const inBatches: Feed = { batch: 1_000, producers: 2, window: 20_000, rampMs: 1_000 }
/** Each job in a call of its own, by callers that wait for its answer. */
export const oneByOne = (callers: number, rampMs = 1_000): Feed => ({
  batch: 1,
  producers: callers,
  window: 2_000,
  rampMs,
})
const drainTimeoutMs = 60_000

/** Fills a queue that nobody works, then times its draining, up to the last completion on disk. */
export async function measureDrain(
  queue: PeerQueue,
  jobs: number,
  progress: Progress,
): Promise<{ enqueuedPerSecond: number; drainedPerSecond: number }> {
  const beganMs = monotonicMs()
  let left = jobs / inBatches.batch
  const produce = async () => {
    while (left-- > 0) await queue.enqueue(inBatches.batch)
  }
  await Promise.all(Array.from({ length: inBatches.producers }, produce))
  const enqueuedMs = monotonicMs() - beganMs
  const before = queue.handled()
  const drainFromMs = monotonicMs()
  await queue.startWorking()
  while (queue.handled() - before < jobs) {
    failWhenLate(queue, drainFromMs)
    progress.show(`${queue.handled() - before} of ${jobs} drained`)
    await sleep(5)
  }
  while (!(await queue.isEmpty())) {
    failWhenLate(queue, drainFromMs)
    await sleep(5)
  }
  const drainedMs = monotonicMs() - drainFromMs
  await queue.stopWorking()
  return { enqueuedPerSecond: perSecond(jobs, enqueuedMs), drainedPerSecond: perSecond(jobs, drainedMs) }
}

/** Both sides at once, with a bounded backlog: how many jobs a second come in and are done. */
export async function measureSteady(
  queue: PeerQueue,
  seconds: number,
  progress: Progress,
  { batch, producers, window, rampMs }: Feed = inBatches,
): Promise<number> {
  const before = queue.handled()
  let enqueued = 0
  await queue.startWorking()
  const fromMs = monotonicMs() + rampMs
  const endMs = fromMs + seconds * 1_000
  let atRamp: { handled: number; ms: number } | undefined
  const produce = async () => {
    while (monotonicMs() < endMs) {
      if (enqueued - (queue.handled() - before) + batch > window) await sleep(1)
      else {
        enqueued += batch
        await queue.enqueue(batch)
      }
      if (!atRamp && monotonicMs() >= fromMs) atRamp = { handled: queue.handled(), ms: monotonicMs() }
      progress.show(`${queue.handled() - before} handled`)
    }
  }
  await Promise.all(Array.from({ length: producers }, produce))
  const handled = queue.handled() - atRamp!.handled
  const rate = perSecond(handled, monotonicMs() - atRamp!.ms)
  const drainFromMs = monotonicMs()
  while (queue.handled() - before < enqueued || !(await queue.isEmpty())) {
    failWhenLate(queue, drainFromMs)
    await sleep(10)
  }
  await queue.stopWorking()
  return rate
}

function failWhenLate(queue: PeerQueue, sinceMs: number): void {
  if (monotonicMs() - sinceMs > drainTimeoutMs) throw new Error(`${queue.name} has not emptied its queue in a minute`)
}
