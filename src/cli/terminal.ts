import { styleText } from 'node:util'

/** Where a command speaks: answers on standard output, progress and faults on standard error. */
export interface Terminal {
  /** The answer is for a machine: `line` keeps silent, `document` speaks. */
  readonly json: boolean
  /** A line of the answer, for people. */
  line(text?: string): void
  /** The answer, or one event of it, for machines: one JSON document on a line of its own. */
  document(value: unknown): void
  /** What is going on just now: one line that rewrites itself on a terminal, plain lines elsewhere. */
  progress(text: string): void
  /** The work that `progress` told of is over. */
  endProgress(): void
  /** A remark beside the answer. */
  remark(text: string): void
}

export interface Streams {
  out: Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number }
  err: Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean; columns?: number }
}

export function createTerminal({ out, err }: Streams, json: boolean): Terminal {
  const rewrites = err.isTTY === true
  let shown = false
  let last = ''

  function endProgress(): void {
    if (shown) err.write('\r\x1b[2K')
    shown = false
    last = ''
  }

  return {
    json,
    line(text = '') {
      if (json) return
      endProgress()
      out.write(`${text}\n`)
    },
    document(value) {
      if (!json) return
      endProgress()
      out.write(`${JSON.stringify(value)}\n`)
    },
    progress(text) {
      if (text === last) return
      last = text
      if (!rewrites) {
        err.write(`${text}\n`)
        return
      }
      err.write(`\r\x1b[2K${text.slice(0, (err.columns ?? 80) - 1)}`)
      shown = true
    },
    endProgress,
    remark(text) {
      endProgress()
      err.write(`${text}\n`)
    },
  }
}

type Shade = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

/** Colour where standard output is a terminal and NO_COLOR is not set. */
export function shade(how: Shade, text: string): string {
  return styleText(how, text, { stream: process.stdout })
}

/** Lays rows out in columns, as wide as their widest cell; the last one is left as it is. */
export function columns(rows: readonly (readonly string[])[], gap = 2): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows.map((row) =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index]! + gap))).join(''),
  )
}
