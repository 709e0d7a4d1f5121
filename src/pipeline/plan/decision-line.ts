import type { Decision, Step } from '../../domain/decision.ts'
import type { Want } from '../../domain/want.ts'

/** What explain tells of one recipient, as it was decided: see carillon.decision_batches. */
export interface DecisionLine {
  /** Of the notification. */
  id: string
  recipient_id: string
  rule?: Want['rule']
  template?: string
  outcome?: Decision['outcome']
  reason?: Decision['reason']
  /** The key of the digest that it is folded into. */
  digest?: string
  deliveries: { channel: string; state: string; reason?: string; until?: Date }[]
  steps: Step[]
}

/** undefined: no gate had anything to look at, and what was planned says the rest. */
export function decisionLine(
  id: string,
  { recipient, want, decision }: { recipient: { id: string }; want: Want; decision: Decision },
): DecisionLine | undefined {
  const { outcome, reason, fold, deliveries, steps } = decision
  if (steps.length === 0 && !want.rule && !fold) return undefined
  return {
    id,
    recipient_id: recipient.id,
    rule: want.rule,
    template: want.template ? `${want.template.name}@${want.template.version}` : undefined,
    outcome,
    reason,
    digest: fold?.key,
    deliveries: deliveries.map(({ channel, state, reason, until }) => ({ channel, state, reason, until })),
    steps,
  }
}
