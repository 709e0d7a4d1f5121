/** Reads Kafka's own kinds of numbers and texts, one after the other. Throws RangeError where the bytes are cut off. */
export class ByteReader {
  at = 0
  private readonly from: Buffer

  constructor(from: Buffer) {
    this.from = from
  }

  int16(): number {
    this.at += 2
    return this.from.readInt16BE(this.at - 2)
  }

  int32(): number {
    this.at += 4
    return this.from.readInt32BE(this.at - 4)
  }

  int64(): bigint {
    this.at += 8
    return this.from.readBigInt64BE(this.at - 8)
  }

  /** Zigzag and base 128, of up to 53 bits. */
  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.from[this.at++]
      if (byte === undefined || factor > 2 ** 63) throw new RangeError('a number is cut off')
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  bytes(length: number): Buffer {
    const from = this.skip(length)
    return this.from.subarray(from, this.at)
  }

  text(length: number): string {
    const from = this.skip(length)
    return this.from.toString('utf8', from, this.at)
  }

  /** Behind its length, which is negative where there is nothing. */
  nullable(): Buffer | null {
    const length = this.varint()
    return length < 0 ? null : this.bytes(length)
  }

  private skip(length: number): number {
    const from = this.at
    const end = from + length
    if (!(length >= 0 && end <= this.from.length)) throw new RangeError('bytes are cut off')
    this.at = end
    return from
  }
}
