import type { PlannedDelivery } from '../decision.ts'
import { type Asked, isOpen, stopChannel } from './asked.ts'

/** An address that bounced, complained, or was put on the list, until that expires. `required` and CRITICAL do not pass. */
export function suppression(asked: Asked, deliveries: readonly PlannedDelivery[]): void {
  const { suppressions } = asked.person
  for (const delivery of deliveries) {
    const { channel } = delivery
    const found = suppressions[channel]
    if (found === undefined || !isOpen(delivery)) continue
    const { reason, source, at, expiresAt } = found
    const inputs = { reason, source, at: at.toISOString() }
    if (expiresAt !== undefined && expiresAt <= asked.now) {
      asked.steps.push({
        gate: 'suppression',
        channel,
        verdict: 'pass',
        inputs: { ...inputs, expired_at: expiresAt.toISOString() },
      })
    } else {
      stopChannel(asked, delivery, 'suppression', 'address_suppressed', { inputs, until: expiresAt?.toISOString() })
    }
  }
}
