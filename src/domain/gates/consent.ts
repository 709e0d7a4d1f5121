import type { PlannedDelivery } from '../decision.ts'
import { type Asked, field, isOpen, suppress } from './asked.ts'

/** Marketing needs an opt-in on record: the last word on the category counts. A system is nobody who could agree. */
export function consent(asked: Asked, deliveries: readonly PlannedDelivery[]): void {
  const { category, person } = asked
  if (category === undefined || !category.marketing || person.type === 'system') return
  const said = field(person.consents, category.name)
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
