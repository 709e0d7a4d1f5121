import { randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

export interface IdSource {
  /** A fresh intent id: UUIDv7 with its last 32 bits zero (see domain/ids.ts). */
  intentId(): string
  /** A fresh id for a batch of status events: UUIDv7 with its last 32 bits zero, from which its events count on. */
  batchId(): string
  /** A fresh UUIDv7, rising within this process. */
  id(): string
}

/**
 * UUIDv7 after RFC 9562. Within one process ids rise: the 42 bits behind the millisecond are a random start per
 * millisecond and a counter, so ids of one process never meet, and those of two meet once in about 2^42.
 */
export function createIdSource(clock: Clock): IdSource {
  const pool = new Uint8Array(4096)
  let used = pool.length
  let lastMs = 0
  let prefix = ''
  let high = 0 // 12 bits: rand_a
  let low = 0 // 30 bits: the first 30 of rand_b

  function random32(): number {
    if (used + 4 > pool.length) {
      randomFillSync(pool)
      used = 0
    }
    const value = ((pool[used]! << 24) | (pool[used + 1]! << 16) | (pool[used + 2]! << 8) | pool[used + 3]!) >>> 0
    used += 4
    return value
  }

  function next(): string {
    const now = clock.now().getTime()
    if (now > lastMs) {
      lastMs = now
      const hex = lastMs.toString(16).padStart(12, '0')
      prefix = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7`
      high = random32() & 0x7ff // the top bit stays free for the counter to grow into
      low = random32() & 0x3fffffff
    } else if (++low > 0x3fffffff) {
      low = 0
      high = (high + 1) & 0xfff
    }
    const variant = (0x80000000 | low) >>> 0
    const hex = variant.toString(16)
    return `${prefix}${high.toString(16).padStart(3, '0')}-${hex.slice(0, 4)}-${hex.slice(4, 8)}`
  }

  return {
    intentId: () => `${next()}00000000`,
    batchId: () => `${next()}00000000`,
    id: () => next() + random32().toString(16).padStart(8, '0'),
  }
}
