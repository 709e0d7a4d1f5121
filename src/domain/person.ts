import type { Channel } from './channel.ts'
import type { SaidPreferences } from './preferences.ts'
import type { Recipient } from './recipient.ts'

export interface Consent {
  granted: boolean
  at: Date
  source: string
  wordingVersion?: string
}

export const suppressionReasons = ['hard_bounce', 'complaint', 'manual'] as const

export interface Suppression {
  reason: (typeof suppressionReasons)[number]
  source: string
  at: Date
  expiresAt?: Date
}

/** A recipient with all that the gates ask of: loaded in bulk, at one moment. */
export interface Person extends Recipient {
  enabled: boolean
  roles: readonly string[]
  groups: readonly string[]
  attributes: Readonly<Record<string, unknown>>
  preferences?: SaidPreferences
  /** The last word on each category. */
  consents: Readonly<Record<string, Consent>>
  /** Of the addresses above. */
  suppressions: Partial<Record<Channel, Suppression>>
}
