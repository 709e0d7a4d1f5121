import type { StoredCounter } from './counter.ts'

/** The counts of one subject, by limit. */
export type Counts = Record<string, StoredCounter>

/*
 * How they are stored, in characters that need no quotes in an array literal, because each delivery reads and writes some:
 *   <limit>/<every>/<span>/<first>/<count>.<count>…[/b<slot>x<count>][/w<percent>]  for each limit, `;` in between
 * `every` is milliseconds, `day` or `month`; see StoredCounter.
 */

const none = '-'

export function encodeCounts(counts: Counts): string {
  let text = ''
  for (const id in counts) {
    const { every, span, first, counts: numbers, booked, warned } = counts[id]!
    text += `${text === '' ? '' : ';'}${id}/${every}/${span}/${first}/${numbers.length === 1 ? numbers[0] : numbers.join('.')}`
    if (booked) text += `/b${booked[0]}x${booked[1]}`
    if (warned !== undefined) text += `/w${warned}`
  }
  return text === '' ? none : text
}

export function decodeCounts(text: string): Counts {
  const counts: Counts = {}
  if (text === none) return counts
  for (const entry of text.split(';')) {
    const [id, every, span, first, numbers, ...more] = entry.split('/') as [string, string, string, string, string]
    const counter: StoredCounter = {
      every: every === 'day' || every === 'month' ? every : Number(every),
      span: Number(span),
      first: Number(first),
      counts: numbers.split('.').map(Number),
    }
    for (const word of more as string[]) {
      if (word.startsWith('b')) counter.booked = word.slice(1).split('x').map(Number) as [number, number]
      if (word.startsWith('w')) counter.warned = Number(word.slice(1))
    }
    counts[id] = counter
  }
  return counts
}
