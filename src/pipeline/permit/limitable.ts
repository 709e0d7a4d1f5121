import { type Category, undefinedCategory } from '../../domain/category.ts'
import type { Limitable } from '../../domain/limits/apply-limits.ts'
import type { Candidate, Permitted } from './permit.ts'

/** A decision as the limits look at it, here and in dry-run. A system is nobody whom a limit of users concerns. */
export function limitableOf(
  { want, recipient, decision }: Permitted<Candidate>,
  categories: ReadonlyMap<string, Category>,
): Limitable {
  const { category = '' } = want
  const { onExcess } = categories.get(category) ?? undefinedCategory(category)
  return {
    recipientId: recipient.type === 'system' ? undefined : recipient.id,
    category: want.category,
    priority: want.priority,
    onExcess,
    expiresAt: want.expiresAt,
    decision,
  }
}
