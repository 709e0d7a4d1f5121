import type pg from 'pg'
import type { Clock } from '../platform/clock.ts'
import { loadCategories } from './categories.ts'

const keptMs = 1_000
const mostKept = 10_000

/** The categories of a tenant that nobody can switch off, as they were at most a second ago. */
export function createRequiredCategories(
  pool: pg.Pool,
  clock: Clock,
): (tenantId: string) => Promise<ReadonlySet<string>> {
  const kept = new Map<string, { names: Promise<ReadonlySet<string>>; untilMs: number }>()
  return (tenantId) => {
    const nowMs = clock.now().getTime()
    const known = kept.get(tenantId)
    if (known && nowMs < known.untilMs) return known.names
    const names = loadCategories(pool, tenantId).then(
      (categories) => new Set([...categories.values()].filter(({ required }) => required).map(({ name }) => name)),
    )
    names.catch(() => kept.delete(tenantId)) // who asked hears of it
    if (kept.size >= mostKept) kept.clear()
    kept.set(tenantId, { names, untilMs: nowMs + keptMs })
    return names
  }
}
