/** Why a message of a request topic cannot become an intent: the column, and the metric's label. */
export const parkedReasons = [
  'undecodable',
  'unknown_schema',
  'invalid',
  'unknown_tenant',
  'too_large',
  'conflict',
  'refused',
] as const

export type ParkedReason = (typeof parkedReasons)[number]

/** `detail` names the field and the rule, and quotes nothing of the message. */
export interface Unreadable {
  reason: ParkedReason
  detail: string
}

/** What became of a message. `lost`: the topic's retention took it before we came. */
export type BridgeOutcome = 'accepted' | 'duplicate' | ParkedReason | 'lost'
