import { intentOf } from '../load/load-item.ts'
import type { TableLine } from '../scenario.ts'
import { startService } from '../service/service.ts'
import { monotonicMs, percentilesOf, perSecond } from '../statistics.ts'

const rampMs = 500

/**
 * The coalescer of the API role by itself, in the process of its callers: what accepting costs without HTTP, GraphQL and
 * validation. Gives its line of the table, and how many were accepted.
 */
export async function measureCoalescer(on: {
  databaseUrl: string
  run: string
  callers: number
  /** Intents in one submit. */
  size: number
  seconds: number
}): Promise<{ line: TableLine; accepted: number }> {
  const { callers, size } = on
  const { app } = await startService({ databaseUrl: on.databaseUrl, role: 'api' })
  try {
    let number = 0
    let accepted = 0
    let counted = 0
    const answersMs: number[] = []
    const fromMs = monotonicMs() + rampMs
    const endMs = fromMs + on.seconds * 1_000
    async function call(): Promise<void> {
      for (let now = monotonicMs(); now < endMs; ) {
        const intendedMs = now
        const items = Array.from({ length: size }, () => ({ number: number++, phase: 0, intendedMs, run: on.run }))
        const answers = await app.accept!.submit(items.map(intentOf))
        accepted += answers.filter(({ status }) => status === 'accepted').length
        now = monotonicMs()
        if (now < fromMs || now >= endMs) continue
        counted += size
        answersMs.push(now - intendedMs)
      }
    }
    await Promise.all(Array.from({ length: callers }, call))
    const name = 'the coalescer alone'
    const remark = `${callers} callers in its process, ${size === 1 ? 'single' : `bulk of ${size}`}`
    const rate = perSecond(counted, endMs - fromMs)
    return { line: { name, perSecond: rate, unit: 'intents', ...percentilesOf(answersMs), remark }, accepted }
  } finally {
    await app.stop()
  }
}
