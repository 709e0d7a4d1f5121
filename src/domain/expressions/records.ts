import { type CelValue, celList, celMap } from '@bufbuild/cel'
import { reflect } from '@bufbuild/protobuf/reflect'
import { TimestampSchema, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { celFromJson, mapMark } from './json-values.ts'
import type { StaticType } from './static-types.ts'

export const celTimestamp = (at: Date): CelValue => reflect(TimestampSchema, timestampFromDate(at))

const empty: Partial<Record<StaticType['kind'], CelValue>> = {
  string: '',
  int: 0n,
  bool: false,
  list: celList([]),
  map: celMap(new Map()),
  timestamp: celTimestamp(new Date(0)),
}

/**
 * A value with declared fields, as protobuf's messages are: a field that was not given reads as empty, so that
 * `event.category == 'orders'` is false and no error, and `has(event.category)` tells whether it was given.
 */
export class CelRecord {
  readonly [mapMark] = {}
  readonly #types: Readonly<Record<string, StaticType>>
  readonly #given: Readonly<Record<string, unknown>>
  readonly #read = new Map<string, CelValue>()

  constructor(types: Readonly<Record<string, StaticType>>, given: Readonly<Record<string, unknown>>) {
    this.#types = types
    this.#given = given
  }

  get size(): number {
    return this.#keys().length
  }

  #keys(): string[] {
    return Object.keys(this.#types).filter((key) => this.has(key))
  }

  get(key: unknown): CelValue | undefined {
    if (typeof key !== 'string') return undefined
    const known = this.#read.get(key)
    if (known !== undefined) return known
    const type = Object.hasOwn(this.#types, key) ? this.#types[key] : undefined
    if (type === undefined) return undefined
    const given = this.#given[key]
    const value = given instanceof Date ? celTimestamp(given) : given == null ? empty[type.kind] : celFromJson(given)
    if (value !== undefined) this.#read.set(key, value)
    return value
  }

  has(key: unknown): boolean {
    return typeof key === 'string' && Object.hasOwn(this.#types, key) && this.#given[key] != null
  }

  keys(): IterableIterator<string> {
    return this.#keys().values()
  }

  *values(): IterableIterator<CelValue> {
    for (const key of this.#keys()) yield this.get(key)!
  }

  *entries(): IterableIterator<[string, CelValue]> {
    for (const key of this.#keys()) yield [key, this.get(key)!]
  }

  [Symbol.iterator](): IterableIterator<[string, CelValue]> {
    return this.entries()
  }
}
