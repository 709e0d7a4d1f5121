/*
 * What a reconciliation remembers of messages: open addressing in typed arrays, because a Map of a million strings takes
 * ten times the room. An id costs 21 bytes a slot, a key 40; at most seven slots of ten are taken.
 */

/** A set of 128-bit ids, each with a check sum, and a mark that it was matched. */
export interface SeenIds {
  readonly size: number
  /** False: it was there already. */
  add(id: string, check: number): boolean
  /** Marks the id as matched. Undefined: it is not there; else whether its check sum is this one. */
  match(id: string, check: number): boolean | undefined
  unmatched(): Generator<string>
}

const mostTaken = 0.7

export function createSeenIds(expected: number): SeenIds {
  let slots = slotsFor(expected)
  let words = new Uint32Array(slots * 4)
  let checks = new Uint32Array(slots)
  let states = new Uint8Array(slots) // 0 free, 1 seen, 2 matched
  let size = 0
  const word = new Uint32Array(4)

  /** Its slot, or the free one where it would be. */
  function find(): number {
    // The last words differ most between ids of one moment; the first ones hold the time.
    let at = (Math.imul(word[2]! ^ (word[1]! >>> 7), 0x9e3779b1) ^ Math.imul(word[3]! + word[0]!, 0x85ebca6b)) >>> 0
    at = (at ^ (at >>> 15)) & (slots - 1)
    while (states[at] !== 0) {
      const base = at * 4
      if (
        words[base] === word[0] &&
        words[base + 1] === word[1] &&
        words[base + 2] === word[2] &&
        words[base + 3] === word[3]
      ) {
        return at
      }
      at = (at + 1) & (slots - 1)
    }
    return at
  }

  function put(at: number, check: number, state: number): void {
    words.set(word, at * 4)
    checks[at] = check
    states[at] = state
  }

  function grow(): void {
    const before = { slots, words, checks, states }
    slots *= 2
    words = new Uint32Array(slots * 4)
    checks = new Uint32Array(slots)
    states = new Uint8Array(slots)
    for (let from = 0; from < before.slots; from++) {
      if (before.states[from] === 0) continue
      word.set(before.words.subarray(from * 4, from * 4 + 4))
      put(find(), before.checks[from]!, before.states[from]!)
    }
  }

  return {
    get size() {
      return size
    },
    add(id, check) {
      if (size >= slots * mostTaken) grow()
      readId(id, word)
      const at = find()
      if (states[at] !== 0) return false
      put(at, check, 1)
      size++
      return true
    },
    match(id, check) {
      readId(id, word)
      const at = find()
      if (states[at] === 0) return undefined
      states[at] = 2
      return checks[at] === check >>> 0
    },
    *unmatched() {
      for (let at = 0; at < slots; at++) if (states[at] === 1) yield writeId(words.subarray(at * 4, at * 4 + 4))
    },
  }
}

/** The greatest sequence that each key has shown. */
export interface LastSequences {
  /** False: the key has shown a greater one before, and keeps it. */
  rises(key: string, sequence: string): boolean
}

/** Keys are told apart by 64 bits of hash: of ten million, two are taken for one with a chance of 3 in a million. */
export function createLastSequences(expected: number): LastSequences {
  let slots = slotsFor(expected)
  let hashes = new Uint32Array(slots * 2)
  let places = new Float64Array(slots * 2) // the transaction's number, in two halves of ten digits
  let ids = new Uint32Array(slots * 4)
  let size = 0
  const word = new Uint32Array(4)

  function find(high: number, low: number): number {
    let at = (high ^ (low >>> 11)) & (slots - 1)
    while (hashes[at * 2] !== 0 || hashes[at * 2 + 1] !== 0) {
      if (hashes[at * 2] === high && hashes[at * 2 + 1] === low) return at
      at = (at + 1) & (slots - 1)
    }
    return at
  }

  function grow(): void {
    const before = { slots, hashes, places, ids }
    slots *= 2
    hashes = new Uint32Array(slots * 2)
    places = new Float64Array(slots * 2)
    ids = new Uint32Array(slots * 4)
    for (let from = 0; from < before.slots; from++) {
      const [high, low] = [before.hashes[from * 2]!, before.hashes[from * 2 + 1]!]
      if (high === 0 && low === 0) continue
      const at = find(high, low)
      hashes.set([high, low], at * 2)
      places.set(before.places.subarray(from * 2, from * 2 + 2), at * 2)
      ids.set(before.ids.subarray(from * 4, from * 4 + 4), at * 4)
    }
  }

  return {
    rises(key, sequence) {
      if (size >= slots * mostTaken) grow()
      const high = hashOf(key, 0x811c9dc5)
      const low = hashOf(key, 0x1b873593) || 1 // two zeroes are a free slot
      const place = [Number(sequence.slice(0, 10)), Number(sequence.slice(10, 20))]
      readId(sequence.slice(21), word)
      const at = find(high, low)
      const isNew = hashes[at * 2 + 1] === 0
      if (!isNew && isBefore(place, at)) return false
      if (isNew) size++
      hashes.set([high, low], at * 2)
      places.set(place, at * 2)
      ids.set(word, at * 4)
      return true
    },
  }

  function isBefore(place: readonly number[], at: number): boolean {
    for (let part = 0; part < 2; part++) {
      const difference = place[part]! - places[at * 2 + part]!
      if (difference !== 0) return difference < 0
    }
    for (let part = 0; part < 4; part++) {
      const difference = word[part]! - ids[at * 4 + part]!
      if (difference !== 0) return difference < 0
    }
    return false
  }
}

/** FNV-1a over UTF-16 units, 32 bits. */
export function hashOf(text: string, seed = 0x811c9dc5): number {
  let hash = seed
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) >>> 0
}

function slotsFor(expected: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1_024, expected / mostTaken)))
}

function readId(id: string, into: Uint32Array): void {
  into[0] = Number.parseInt(id.slice(0, 8), 16)
  into[1] = Number.parseInt(id.slice(9, 13) + id.slice(14, 18), 16)
  into[2] = Number.parseInt(id.slice(19, 23) + id.slice(24, 28), 16)
  into[3] = Number.parseInt(id.slice(28, 36), 16)
}

function writeId(words: Uint32Array): string {
  const hex = [...words].map((part) => part.toString(16).padStart(8, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
