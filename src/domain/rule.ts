import type { Channel } from './channel.ts'
import type { DigestPolicy } from './digest.ts'
import type { RecipientRef } from './intent.ts'
import type { Schedule } from './schedule.ts'

/**
 * Whom a rule notifies: the union of all that is named, each person once. `expression` is CEL giving one external id or a
 * list of them; `addresses` and `targets` are inline recipients and fixed targets (a Slack channel, a pager service).
 */
export interface RecipientSelector {
  /** What its author called it; all lists count, whatever it says. */
  type?: 'user' | 'role' | 'group' | 'dynamic' | 'inline'
  userIds?: readonly string[]
  roles?: readonly string[]
  groups?: readonly string[]
  expression?: string
  addresses?: readonly RecipientRef[]
}

/** When an event of such a kind comes in, whom to notify, how. A version of it never changes. */
export interface Rule {
  id: string
  name: string
  description?: string
  version: number
  /** CEL over `event` and `now`; empty: every event of the types and domains. */
  eventPattern: string
  domains?: readonly string[]
  /** Exact types, or with `*` at the end: `commerce.order.*`. */
  eventTypes?: readonly string[]
  priority: number
  category?: string
  channels: readonly Channel[]
  fallbackChannels?: readonly Channel[]
  selector: RecipientSelector
  schedule?: Schedule
  digest?: DigestPolicy
  /** CEL: the value by which digests are kept apart; absent: one for each recipient. */
  batchKey?: string
  /** Groups of alerts, as on-call people know them; see grouping.ts. */
  group?: {
    by: readonly string[]
    waitMs: number
    intervalMs: number
    repeatMs: number
    resolved?: string
    alert?: string
  }
  template?: string
  /** Values, or CEL over `event`, `recipient` and `now` where a value is `{"cel": "…"}`. */
  templateVars?: Readonly<Record<string, unknown>>
  enabled: boolean
  validFrom?: Date
  validUntil?: Date
}
