import { type CelList, type CelMap, type CelValue, isCelList, isCelMap, isCelType, isCelUint } from '@bufbuild/cel'
import { toJson } from '@bufbuild/protobuf'
import { spend } from './meter.ts'

// The library knows its own maps and lists by these marks; test/domain/expressions holds us to them.
export const mapMark = Symbol.for('@bufbuild/cel/map')
const listMark = Symbol.for('@bufbuild/cel/list')

/** JSON has one kind of number: whole ones that are exact are ints, the others doubles. */
function numberFromJson(value: number): bigint | number {
  return Number.isSafeInteger(value) ? BigInt(value) : value
}

/** A value of JSON as CEL sees it. Objects and lists are converted as they are read, once each. */
export function celFromJson(value: unknown): CelValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value
    case 'number':
      return numberFromJson(value)
    case 'object':
      if (value === null) return null
      return (Array.isArray(value) ? new JsonList(value) : new JsonMap(value as JsonObject)) as unknown as CelValue
    default:
      return null
  }
}

type JsonObject = Readonly<Record<string, unknown>>

/** Reads only what an object owns, so that `constructor` or `__proto__` in an expression finds data or nothing. */
class JsonMap {
  readonly [mapMark] = {}
  readonly #fields: JsonObject
  readonly #read = new Map<string, CelValue>()
  #known: readonly string[] | undefined

  constructor(fields: JsonObject) {
    this.#fields = fields
  }

  get size(): number {
    return this.#keys().length
  }

  #keys(): readonly string[] {
    this.#known ??= Object.keys(this.#fields).filter((key) => this.#fields[key] !== undefined)
    return this.#known
  }

  get(key: unknown): CelValue | undefined {
    if (typeof key !== 'string') return undefined
    let value = this.#read.get(key)
    if (value === undefined && this.has(key)) {
      value = celFromJson(this.#fields[key])
      this.#read.set(key, value)
    }
    return value
  }

  has(key: unknown): boolean {
    return typeof key === 'string' && Object.hasOwn(this.#fields, key) && this.#fields[key] !== undefined
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

  forEach(callback: (value: CelValue, key: string) => void): void {
    for (const [key, value] of this.entries()) callback(value, key)
  }
}

class JsonList {
  readonly [listMark] = {}
  readonly #items: readonly unknown[]
  readonly #read: CelValue[] = []

  constructor(items: readonly unknown[]) {
    this.#items = items
  }

  get size(): number {
    return this.#items.length
  }

  get(index: number): CelValue | undefined {
    if (!(index >= 0 && index < this.#items.length) || !Number.isInteger(index)) return undefined
    this.#read[index] ??= celFromJson(this.#items[index])
    return this.#read[index]
  }

  *values(): IterableIterator<CelValue> {
    for (let index = 0; index < this.#items.length; index += 1) yield this.get(index)!
  }

  [Symbol.iterator](): IterableIterator<CelValue> {
    return this.values()
  }
}

/**
 * A list that was made by `+`. Those that were appended to one another share one array, as the `map` and `filter` macros
 * append an element at a time: it is copied only where two go on from the same list.
 */
class GrownList {
  readonly [listMark] = {}
  readonly items: CelValue[]
  readonly size: number

  constructor(items: CelValue[], size: number) {
    this.items = items
    this.size = size
  }

  get(index: number): CelValue | undefined {
    return index >= 0 && index < this.size ? this.items[index] : undefined
  }

  *values(): IterableIterator<CelValue> {
    for (let index = 0; index < this.size; index += 1) yield this.items[index]!
  }

  [Symbol.iterator](): IterableIterator<CelValue> {
    return this.values()
  }
}

/** The elements of both, one after the other. */
export function concatLists(left: CelList, right: CelList): CelList {
  let items: CelValue[]
  if (left instanceof GrownList && (left as GrownList).items.length === left.size) items = (left as GrownList).items
  else {
    spend(left.size)
    items = [...left]
  }
  for (const item of right) items.push(item)
  return new GrownList(items, items.length) as unknown as CelList
}

/**
 * What an expression gave, as JSON: ints become numbers (strings where a number is not exact), timestamps and durations
 * their texts, bytes base64, and a type its name.
 */
export function jsonFromCel(value: CelValue): unknown {
  spend(typeof value === 'string' ? 1 + (value.length >> 4) : 1)
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    case 'number':
      return Number.isFinite(value) ? value : String(value)
  }
  if (value === null) return null
  if (isCelList(value)) return Array.from(value, jsonFromCel)
  if (isCelMap(value)) return objectFromCel(value)
  if (isCelUint(value)) return jsonFromCel(value.value)
  if (value instanceof Uint8Array) {
    spend(value.length >> 4)
    return Buffer.from(value).toString('base64')
  }
  if (isCelType(value)) return value.name
  return toJson(value.desc, value.message)
}

function objectFromCel(map: CelMap): Record<string, unknown> {
  const entries: [string, unknown][] = []
  for (const [key, item] of map) {
    const name = String(isCelUint(key) ? key.value : key)
    spend(name.length >> 4)
    entries.push([name, jsonFromCel(item)])
  }
  return Object.fromEntries(entries)
}
