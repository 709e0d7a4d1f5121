import type { PlannedDelivery } from '../decision.ts'
import { type Asked, field, isOpen, suppress } from './asked.ts'

/**
 * Marketing needs an opt-in on record: the last word on the category counts. Of any other category that may be refused it counts
 * where it takes consent back. A system is nobody who could agree.
 */
export function consent(asked: Asked, deliveries: readonly PlannedDelivery[]): void {
  const { category, person } = asked
  if (category === undefined || category.required || person.type === 'system') return
  const said = field(person.consents, category.name)
  if (!category.marketing && said?.granted !== false) return
  const inputs = {
    category: category.name,
    granted: said?.granted ?? null,
    ...(said && { at: said.at.toISOString(), source: said.source, wording_version: said.wordingVersion }),
  }
  if (said?.granted === true) {
    asked.steps.push({ gate: 'consent', verdict: 'pass', inputs })
    return
  }
  asked.steps.push({ gate: 'consent', verdict: 'suppress', reason: 'no_consent', inputs })
  for (const delivery of deliveries) if (isOpen(delivery)) suppress(delivery, 'no_consent')
}
