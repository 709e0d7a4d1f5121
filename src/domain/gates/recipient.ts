import type { GateReason } from '../decision.ts'
import type { Asked } from './asked.ts'

/** Somebody who is switched off gets nothing. */
export function recipient(asked: Asked): GateReason | undefined {
  if (asked.person.enabled) return undefined
  asked.steps.push({ gate: 'recipient', verdict: 'suppress', reason: 'recipient_disabled', inputs: { enabled: false } })
  return 'recipient_disabled'
}
