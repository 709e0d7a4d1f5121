/** One line that says where the run is: rewritten on a terminal, and every few seconds a new one in a log. */
export interface Progress {
  begin(what: string): void
  show(detail: string): void
  /** A line that stays. */
  note(line: string): void
  end(): void
}

const logIntervalMs = 5_000

export function createProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  const startedAt = performance.now()
  let what = ''
  let shownAt = Number.NEGATIVE_INFINITY
  const clock = () => `${Math.round((performance.now() - startedAt) / 1000)} s`.padStart(6)
  const clear = () => {
    if (out.isTTY) out.write('\r\x1b[K')
  }
  const show = (detail: string) => {
    const line = `${clock()}  ${what}${detail && `: ${detail}`}`
    if (out.isTTY) out.write(`\r\x1b[K${line.slice(0, (out.columns ?? 80) - 1)}`)
    else if (performance.now() - shownAt >= logIntervalMs) {
      shownAt = performance.now()
      out.write(`${line}\n`)
    }
  }
  return {
    begin(next) {
      what = next
      shownAt = Number.NEGATIVE_INFINITY
      show('')
    },
    show,
    note(line) {
      clear()
      out.write(`${clock()}  ${line}\n`)
    },
    end: clear,
  }
}
