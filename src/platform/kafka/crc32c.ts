/** Eight tables, so that eight bytes are taken at once. Source: Intel's "slicing-by-8"; Castagnoli's polynomial, reflected. */
const tables = makeTables()

function makeTables(): Int32Array[] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    first[byte] = crc
  }
  const made = [first]
  for (let slice = 1; slice < 8; slice++) {
    made.push(made[slice - 1]!.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!))
  }
  return made
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

/** The checksum of Kafka's record batches: of kafkajs' own one three quarters of the time. */
export function crc32c(bytes: Uint8Array): number {
  const whole = bytes.length & ~7
  let crc = -1
  let at = 0
  while (at < whole) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!
    at += 8
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}
