interface Snapshot {
  xmin: bigint
  xmax: bigint
  open: ReadonlySet<string>
}

const mostRemembered = 1_000
const remembered = new Map<string, Snapshot>()

/** Whether a transaction (an xid8 as text) was not yet committed in a snapshot (a pg_snapshot as text: `xmin:xmax:xip,…`). */
export function isAfterSnapshot(xid: string, snapshot: string): boolean {
  const { xmin, xmax, open } = parse(snapshot)
  const number = BigInt(xid)
  if (number < xmin) return false
  return number >= xmax || open.has(xid)
}

function parse(text: string): Snapshot {
  let snapshot = remembered.get(text)
  if (!snapshot) {
    const [xmin = '', xmax = '', open = ''] = text.split(':')
    snapshot = { xmin: BigInt(xmin), xmax: BigInt(xmax), open: new Set(open.split(',')) }
    if (remembered.size >= mostRemembered) remembered.clear()
    remembered.set(text, snapshot)
  }
  return snapshot
}
