import type { GateReason } from '../decision.ts'
import type { Asked } from './asked.ts'

/** A silence or an inhibition stops all that it covers, whoever it is for. */
export function silence(asked: Asked): GateReason | undefined {
  const held = asked.want.heldBack
  if (held === undefined) return undefined
  asked.steps.push({
    gate: 'silence',
    verdict: 'suppress',
    reason: held.reason,
    until: held.until?.toISOString(),
    inputs: held.comment === undefined ? { id: held.id } : { id: held.id, comment: held.comment },
  })
  return held.reason
}
