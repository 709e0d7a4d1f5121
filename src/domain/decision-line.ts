import type { Decision, Step } from './decision.ts'
import type { Want } from './want.ts'

/** What explain tells of one recipient, as it was decided: see carillon.decision_batches. */
export interface DecisionLine {
  /** Of the notification. */
  id: string
  recipient_id: string
  rule?: Want['rule']
  /** name@version */
  template?: string
  /** Which of the tenant's settings: the number rises with each change of them. */
  settings?: string
  outcome?: Decision['outcome']
  reason?: Decision['reason']
  /** The key of the digest that it is folded into. */
  digest?: string
  deliveries: { channel: string; state: string; reason?: string; until?: Date | string }[]
  steps: Step[]
}
