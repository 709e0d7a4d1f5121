/** One token bucket a key: full after a second of rest, so a burst of one second's requests passes. */
export interface RateLimiter {
  /** 0: go on. Else how long to wait, in milliseconds. */
  take(key: string): number
}

const mostRemembered = 10_000

export function createRateLimiter(perSecond: number, nowMs: () => number): RateLimiter {
  const buckets = new Map<string, { tokens: number; atMs: number }>()

  return {
    take(key) {
      if (perSecond === 0) return 0
      const now = nowMs()
      const bucket = buckets.get(key) ?? { tokens: perSecond, atMs: now }
      bucket.tokens = Math.min(perSecond, bucket.tokens + ((now - bucket.atMs) / 1_000) * perSecond)
      bucket.atMs = now
      if (!buckets.has(key)) {
        if (buckets.size >= mostRemembered) buckets.clear()
        buckets.set(key, bucket)
      }
      if (bucket.tokens < 1) return ((1 - bucket.tokens) / perSecond) * 1_000
      bucket.tokens--
      return 0
    },
  }
}
