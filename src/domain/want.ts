import type { Channel } from './channel.ts'
import type { Fold } from './digest.ts'
import type { RecipientRef } from './intent.ts'
import type { Person } from './person.ts'
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

/** Members of roles and groups, and people by id: each of them once. */
export interface Audience {
  userIds: readonly string[]
  roles: readonly string[]
  groups: readonly string[]
}

/** One want of one intent, before its recipients are known: a direct request is one, each rule that an event matches another. */
export interface Wanted<I> {
  intent: I
  refs: readonly RecipientRef[]
  /** Of a rule, behind the refs. */
  audience?: Audience
  priority: number
  category?: string
  channels?: readonly Channel[]
  fallbackChannels?: readonly Channel[]
  /** Its name. */
  template?: string
  schedule?: Schedule
  rule?: Want['rule']
  isDigest?: boolean
  heldBack?: Want['heldBack']
  /** A rule's own digest. */
  fold?: Fold
  /** What a rule's template sees for one recipient; undefined where an expression of it failed. */
  varsFor?(person: Person): Readonly<Record<string, unknown>> | undefined
}
