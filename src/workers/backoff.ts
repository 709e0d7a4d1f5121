/** Pauses that double from the least to the most, each by a quarter more or less. */
export function createBackoff(leastMs: number, mostMs: number) {
  let ms = leastMs
  return {
    next(): number {
      const now = ms
      ms = Math.min(ms * 2, mostMs)
      return now * (0.75 + Math.random() / 2)
    },
    reset(): void {
      ms = leastMs
    },
  }
}
