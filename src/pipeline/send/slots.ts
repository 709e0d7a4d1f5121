/** Lets at most `limit` tasks run at once; of the others the tenants take turns, each in its own order. */
export interface Slots {
  take(tenantId: string): Promise<() => void>
}

export function createSlots(limit: number): Slots {
  let free = limit
  const waiting = new Map<string, (() => void)[]>()
  const release = () => {
    const [turn] = waiting
    if (!turn) {
      free++
      return
    }
    const [tenantId, line] = turn
    const next = line.shift()!
    waiting.delete(tenantId)
    if (line.length > 0) waiting.set(tenantId, line)
    next()
  }
  return {
    take: (tenantId) =>
      new Promise((resolve) => {
        const grant = () => resolve(release)
        if (free > 0) {
          free--
          grant()
        } else {
          const line = waiting.get(tenantId)
          if (line) line.push(grant)
          else waiting.set(tenantId, [grant])
        }
      }),
  }
}
