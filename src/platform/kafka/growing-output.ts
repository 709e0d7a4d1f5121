/** What decompressing writes to. */
export interface GrowingOutput {
  literals(from: Buffer, at: number, length: number): void
  /** A repetition of what was written `distance` bytes ago, which may overlap itself. */
  copyBack(distance: number, length: number): void
  bytes(): Buffer
}

/** Bytes that grow as they are decompressed, up to a bound. */
export function createOutput(mostBytes: number, expected = 64 * 1024): GrowingOutput {
  let buffer = Buffer.allocUnsafe(Math.min(expected, mostBytes))
  let end = 0
  function room(length: number) {
    if (end + length > mostBytes) throw new RangeError(`more than ${mostBytes} bytes when decompressed`)
    if (end + length <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.min(mostBytes, Math.max(buffer.length * 2, end + length)))
    buffer.copy(larger, 0, 0, end)
    buffer = larger
  }
  return {
    literals(from, at, length) {
      room(length)
      from.copy(buffer, end, at, at + length)
      end += length
    },
    copyBack(distance, length) {
      if (distance === 0 || distance > end) throw new RangeError('a repetition of what was not there')
      room(length)
      if (distance >= length) buffer.copyWithin(end, end - distance, end - distance + length)
      else for (let index = 0; index < length; index++) buffer[end + index] = buffer[end + index - distance]!
      end += length
    },
    bytes: () => buffer.subarray(0, end),
  }
}
