import type { Decision } from '../../domain/decision.ts'
import type { DecisionLine } from '../../domain/decision-line.ts'
import type { Want } from '../../domain/want.ts'

/** undefined: no gate had anything to look at, and what was planned says the rest. */
export function decisionLine(
  id: string,
  of: { recipient: { id: string }; want: Want; decision: Decision; settingsVersion?: string },
): DecisionLine | undefined {
  const { recipient, want, settingsVersion } = of
  const { outcome, reason, fold, deliveries, steps } = of.decision
  if (steps.length === 0 && !want.rule && !fold) return undefined
  return {
    id,
    recipient_id: recipient.id,
    rule: want.rule,
    template: want.template ? `${want.template.name}@${want.template.version}` : undefined,
    settings: settingsVersion,
    outcome,
    reason,
    digest: fold?.key,
    deliveries: deliveries.map(({ channel, state, reason, until }) => ({ channel, state, reason, until })),
    steps,
  }
}
