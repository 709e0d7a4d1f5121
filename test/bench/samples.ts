import { type Percentiles, percentilesOf } from './statistics.ts'

/** Numbers in the order they came, eight bytes each: an array of millions costs the collector nothing. */
export interface Samples {
  add(value: number): void
  values(): Float64Array
  percentiles(): Percentiles
  clear(): void
}

export function createSamples(): Samples {
  let held = new Float64Array(1_024)
  let count = 0
  const values = () => held.subarray(0, count)
  return {
    add(value) {
      if (count === held.length) {
        const larger = new Float64Array(count * 2)
        larger.set(held)
        held = larger
      }
      held[count++] = value
    },
    values,
    percentiles: () => percentilesOf(values()),
    clear() {
      held = new Float64Array(1_024)
      count = 0
    },
  }
}
