/** The partition that Kafka's own clients give a key: murmur2, positive, modulo the count. */
export function partitionOf(key: Buffer, count: number): number {
  const m = 0x5bd1e995
  const { length } = key
  const whole = length & ~3
  let h = 0x9747b28c ^ length
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(key.readInt32LE(at), m)
    k = Math.imul(k ^ (k >>> 24), m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - whole
  if (rest === 3) h ^= key[whole + 2]! << 16
  if (rest >= 2) h ^= key[whole + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ key[whole]!, m)
  h = Math.imul(h ^ (h >>> 13), m)
  h ^= h >>> 15
  return (h & 0x7fffffff) % count
}
