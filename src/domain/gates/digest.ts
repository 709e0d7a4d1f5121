import type { Category } from '../category.ts'
import type { PlannedDelivery } from '../decision.ts'
import type { DigestPolicy, Fold } from '../digest.ts'
import type { Frequency } from '../preferences.ts'
import { priorities } from '../priority.ts'
import { type Asked, field, isOpen } from './asked.ts'

const hourMs = 3_600_000
const recurrences = { hourly: '0 * * * *', daily: '0 9 * * *', weekly: '0 9 * * 1' }

/**
 * Whether it waits in a digest, and in which one. What people said of how often (`hourly`, `daily`, `weekly`) goes before a
 * rule's own digest, and that before the category's. CRITICAL waits in none, and what comes out of one is not folded again.
 */
export function digest(asked: Asked, deliveries: readonly PlannedDelivery[]): Fold | undefined {
  const { want, steps } = asked
  if (want.isDigest || (want.fold === undefined && asked.category === undefined)) return undefined
  const fold = foldOf(asked)
  if (fold === undefined || !deliveries.some(isOpen)) return undefined
  const inputs = { ...fold.inputs, key: fold.key, priority: want.priority }
  if (want.priority >= priorities.CRITICAL) {
    steps.push({ gate: 'digest', verdict: 'pass', inputs })
    return undefined
  }
  steps.push({ gate: 'digest', verdict: 'fold', reason: 'digest', inputs })
  const { inputs: _, ...plain } = fold
  return plain
}

function foldOf(asked: Asked): (Fold & { inputs: Record<string, unknown> }) | undefined {
  const { want, category } = asked
  const said = frequencySaid(asked)
  if (category && said && said.frequency !== 'instant' && said.frequency !== 'digest') {
    return { ...ofCategory(category, said.frequency), inputs: said }
  }
  if (want.fold !== undefined) return { ...want.fold, inputs: { by: 'rule' } }
  if (category === undefined) return undefined
  const by = said ?? { frequency: category.frequency, by: 'category' }
  return by.frequency === 'instant' ? undefined : { ...ofCategory(category, by.frequency), inputs: by }
}

/** Of a category that nobody can switch off, nobody can say how often it comes. */
function frequencySaid({ person, defaults, category }: Asked): { frequency: Frequency; by: string } | undefined {
  if (category === undefined || category.required || person.type === 'system') return undefined
  const own = field(person.preferences?.said.categories, category.name)?.frequency
  if (own !== undefined) return { frequency: own, by: 'recipient' }
  const general = field(defaults?.said.categories, category.name)?.frequency
  return general && { frequency: general, by: 'defaults' }
}

/** `digest` takes the category's own window, or an hour; the others come at full hours, at 9, and on Mondays at 9. */
function ofCategory(category: Category, frequency: Exclude<Frequency, 'instant'>): Fold {
  const key = `category:${category.name}`
  if (frequency === 'digest') return { key, policy: category.digest ?? { windowMs: hourMs } }
  const policy: DigestPolicy = { recurrence: { cron: recurrences[frequency] } }
  if (category.digest?.template) policy.template = category.digest.template
  return { key, policy }
}
