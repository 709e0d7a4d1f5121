import { createOutput, type GrowingOutput } from './growing-output.ts'

/*
 * Reads LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), which is what Kafka's producers write.
 * Checksums are passed over: the record batch has one of its own.
 */

const magic = 0x184d2204

/** All frames of `bytes` in one. Throws RangeError where they are not whole, or would grow beyond `mostBytes`. */
export function lz4Decompress(bytes: Buffer, mostBytes: number): Buffer {
  const out = createOutput(mostBytes)
  let at = 0
  while (at < bytes.length) at = readFrame(bytes, at, out)
  return out.bytes()
}

function readFrame(bytes: Buffer, start: number, out: GrowingOutput): number {
  if (bytes.readUInt32LE(start) !== magic) throw new RangeError('no LZ4 frame')
  const flags = bytes.readUInt8(start + 4)
  const hasBlockChecksums = (flags & 0x10) !== 0
  const hasSize = (flags & 0x08) !== 0
  const hasChecksum = (flags & 0x04) !== 0
  const hasDictionary = (flags & 0x01) !== 0
  if (hasDictionary) throw new RangeError('an LZ4 frame with a dictionary')
  let at = start + 6 + (hasSize ? 8 : 0) + 1
  for (;;) {
    const size = bytes.readUInt32LE(at)
    at += 4
    if (size === 0) return at + (hasChecksum ? 4 : 0)
    const length = size & 0x7fffffff
    if (at + length > bytes.length) throw new RangeError('an LZ4 frame that is cut off')
    if (size !== length) out.literals(bytes, at, length)
    else readBlock(bytes, at, at + length, out)
    at += length + (hasBlockChecksums ? 4 : 0)
  }
}

function readBlock(bytes: Buffer, start: number, end: number, out: GrowingOutput): void {
  let at = start
  while (at < end) {
    const token = bytes[at++]!
    let literals = token >> 4
    if (literals === 15) {
      let more: number
      do literals += more = bytes.readUInt8(at++)
      while (more === 255)
    }
    if (at + literals > end) throw new RangeError('LZ4 literals that are cut off')
    out.literals(bytes, at, literals)
    at += literals
    if (at === end) return // the last sequence has no match
    const distance = bytes.readUInt16LE(at)
    at += 2
    let length = (token & 15) + 4
    if (length === 19) {
      let more: number
      do length += more = bytes.readUInt8(at++)
      while (more === 255)
    }
    out.copyBack(distance, length)
  }
}
