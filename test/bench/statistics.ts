export interface Percentiles {
  p50Ms: number
  p95Ms: number
  p99Ms: number
  maxMs: number
}

/** Exact percentiles, by nearest rank; NaN where there are no samples. Sorts a copy. */
export function percentilesOf(samples: ArrayLike<number>): Percentiles {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number) => tenths(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN)
  return { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99), maxMs: at(1) }
}

export interface Spread {
  median: number
  least: number
  most: number
}

/** The median of some rounds, and how far they lie apart. */
export function spreadOf(rounds: readonly number[]): Spread {
  const sorted = [...rounds].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)! }
}

export const medianOf = (rounds: readonly number[]): number => spreadOf(rounds).median

export const tenths = (value: number): number => Math.round(value * 10) / 10

export const perSecond = (count: number, ms: number): number => Math.round((count / ms) * 1000)

/** Milliseconds of a clock that all processes of this machine share, and that nobody sets. */
export const monotonicMs = (): number => monotonicOffsetMs + performance.now()

/** performance.now() runs on the same clock from another zero, and costs a third of hrtime.bigint(). */
const monotonicOffsetMs = Number(process.hrtime.bigint()) / 1_000_000 - performance.now()
