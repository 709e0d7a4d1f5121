import type { Message } from '../domain/message.ts'

const longestInput = 2_000
const longestDetail = 200

/** In this order: a URL holds an address, an address holds a host, a token may hold a run of digits. */
const strangers: [RegExp, string][] = [
  [/[a-z][a-z0-9+.-]*:\/\/\S+/gi, '[url]'],
  [/[^\s<>"'(),;:@=]+@[^\s<>"'(),;:]+/g, '[address]'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '[ip]'],
  [/(?<![\w:])(?=[\da-f:.]*:[\da-f]*:)[\da-f:.]{4,}/gi, '[ip]'],
  [/whsec_\S*/g, '[token]'],
  [/[\w+/=-]{20,}/g, '[token]'],
]

const phoneLike = /\+?\d[\d\s().-]{5,}\d/g

/**
 * Makes of a provider's own words what may be kept in a detail, a log or a metric: short, on one line, and without
 * URLs, addresses, phone numbers, tokens, or any word of the message itself, because a server that answers by echoing
 * our request must not write its content into our tables. Call it on every piece of text that came over the network.
 */
export function scrub(text: string, message: Message): string {
  let clean = cutAtWord(text).replaceAll(/\p{C}+/gu, ' ')
  for (const [pattern, label] of strangers) clean = clean.replaceAll(pattern, label)
  clean = clean.replaceAll(phoneLike, (run) => (run.replaceAll(/\D/g, '').length >= 7 ? '[number]' : run))
  const own = wordsOf(message)
  clean = clean.replaceAll(/[\p{L}\p{N}]+/gu, (word) => (own.has(word.toLowerCase()) ? '…' : word))
  return clean.replaceAll(/\s+/g, ' ').trim().slice(0, longestDetail)
}

/** A cut in the middle of a word would leave half a token, too short to be known as one. */
function cutAtWord(text: string): string {
  return text.length <= longestInput ? text : text.slice(0, longestInput).replace(/\S*$/, '')
}

/** Every word the message could be known by. Words of one or two letters tell nothing, a digit always may. */
function wordsOf(message: Message): Set<string> {
  const words = new Set<string>()
  const { type: _type, channel: _channel, createdAt: _createdAt, attempt: _attempt, ...content } = message
  collect(content, words)
  return words
}

function collect(value: unknown, words: Set<string>): void {
  if (typeof value === 'string' || typeof value === 'number') {
    for (const [word] of String(value).matchAll(/[\p{L}\p{N}]+/gu)) {
      if (word.length > 2 || /\p{N}/u.test(word)) words.add(word.toLowerCase())
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) collect(inner, words)
  }
}
