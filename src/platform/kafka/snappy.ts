import { createOutput } from './growing-output.ts'

/*
 * Reads Snappy (https://github.com/google/snappy/blob/main/format_description.txt): plain, as librdkafka writes it, or in the
 * frames of snappy-java, as Java's producer does.
 */

const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])

/** Throws RangeError where `bytes` are not whole, or would grow beyond `mostBytes`. */
export function snappyDecompress(bytes: Buffer, mostBytes: number): Buffer {
  if (!bytes.subarray(0, 8).equals(javaMagic)) return readBlock(bytes, mostBytes)
  const blocks: Buffer[] = []
  let left = mostBytes
  for (let at = 16; at < bytes.length; ) {
    const size = bytes.readInt32BE(at)
    at += 4
    if (size < 0 || at + size > bytes.length) throw new RangeError('a Snappy frame that is cut off')
    const block = readBlock(bytes.subarray(at, at + size), left)
    blocks.push(block)
    left -= block.length
    at += size
  }
  return Buffer.concat(blocks)
}

function readBlock(bytes: Buffer, mostBytes: number): Buffer {
  let at = 0
  let size = 0
  for (let shift = 0; ; shift += 7) {
    if (shift > 28) throw new RangeError('a Snappy length without end')
    const byte = bytes.readUInt8(at++)
    size += (byte & 127) * 2 ** shift
    if (byte < 128) break
  }
  if (size > mostBytes) throw new RangeError(`more than ${mostBytes} bytes when decompressed`)
  const out = createOutput(size, Math.min(size, bytes.length * 4))
  while (at < bytes.length) {
    const tag = bytes[at++]!
    if ((tag & 3) === 0) {
      let length = tag >> 2
      if (length >= 60) {
        const extra = length - 59
        length = bytes.readUIntLE(at, extra)
        at += extra
      }
      length++
      if (at + length > bytes.length) throw new RangeError('Snappy literals that are cut off')
      out.literals(bytes, at, length)
      at += length
    } else if ((tag & 3) === 1) {
      out.copyBack(((tag >> 5) << 8) | bytes.readUInt8(at++), ((tag >> 2) & 7) + 4)
    } else {
      const wide = (tag & 3) === 3
      out.copyBack(wide ? bytes.readUInt32LE(at) : bytes.readUInt16LE(at), (tag >> 2) + 1)
      at += wide ? 4 : 2
    }
  }
  if (out.bytes().length !== size) throw new RangeError('Snappy of another length than it says')
  return out.bytes()
}
