/*
 * Columns as Postgres array literals, for statements that take one array a column. pg's own conversion asks of each value
 * what it is and escapes it; on the way of every notification that is most of what a row costs this process.
 */

type Plain = string | number | boolean | undefined | null

/** An array of values that need no quotes: ids, numbers, booleans, ISO times, names of enums. All absent: empty, which unnest fills with nulls. */
export function plainArray<R>(rows: readonly R[], pick: (row: R) => Plain): string {
  let text = ''
  let isEmpty = true
  for (const row of rows) {
    const value = pick(row)
    if (value === undefined || value === null) text += ',NULL'
    else {
      text += `,${value}`
      isEmpty = false
    }
  }
  return isEmpty ? '{}' : `{${text.slice(1)}}`
}

const needsNoQuotes = /^[A-Za-z0-9_.:@+-]+$/

/** An array of any text. All absent: empty, which unnest fills with nulls. */
export function textArray<R>(rows: readonly R[], pick: (row: R) => string | undefined | null): string {
  let text = ''
  let isEmpty = true
  for (const row of rows) {
    const value = pick(row)
    if (value === undefined || value === null) text += ',NULL'
    else {
      text += `,${quoted(value)}`
      isEmpty = false
    }
  }
  return isEmpty ? '{}' : `{${text.slice(1)}}`
}

function quoted(value: string): string {
  if (needsNoQuotes.test(value) && value.toUpperCase() !== 'NULL') return value
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
