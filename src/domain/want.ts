import type { Channel } from './channel.ts'
import type { Fold } from './digest.ts'
import type { Schedule } from './schedule.ts'

/** What a request or a rule wants of one recipient, as the gates see it. */
export interface Want {
  type: string
  /** 0 LOW … 3 CRITICAL. */
  priority: number
  category?: string
  channels?: readonly Channel[]
  fallbackChannels?: readonly Channel[]
  /** undefined: inline content; null: a template that is not there or switched off. */
  template?: { name: string; version: string; channels: readonly Channel[] } | null
  acceptedAt: Date
  expiresAt?: Date
  schedule?: Schedule
  /** A rule's own digest, its key already evaluated. */
  fold?: Fold
  rule?: { id: string; name: string; version: number }
  /** A digest that is closed, or a part of what a digest let out: it is not folded again. */
  isDigest?: boolean
  /** A silence or an inhibition that holds it back. */
  heldBack?: { reason: 'silenced' | 'inhibited'; id: string; until?: Date; comment?: string }
}
