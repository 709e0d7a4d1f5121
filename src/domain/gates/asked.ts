import type { Category } from '../category.ts'
import type { Channel } from '../channel.ts'
import type { Gate, GateReason, PlannedDelivery, Step } from '../decision.ts'
import type { Person } from '../person.ts'
import type { SaidPreferences } from '../preferences.ts'
import type { Want } from '../want.ts'

export interface GateSettings {
  /** Empty: every channel. */
  enabledChannels: readonly Channel[]
  defaultChannels: readonly Channel[]
  /** Of recipients that have none. Absent: UTC. */
  timezone?: string
}

/** What the gates are asked: one want of one person at one moment. They add to `steps`, and change nothing else of it. */
export interface Asked {
  want: Want
  person: Person
  settings: GateSettings
  /** Of the want; undefined: it has none. */
  category?: Category
  defaults?: SaidPreferences
  now: Date
  steps: Step[]
}

/** What may still go to somebody. The audit line reaches nobody, so that what people say does not stop it. */
export function isOpen(delivery: PlannedDelivery): boolean {
  return delivery.state !== 'suppressed' && delivery.channel !== 'audit'
}

export function suppress(delivery: PlannedDelivery, reason: GateReason): void {
  delivery.state = 'suppressed'
  delivery.reason = reason
  delivery.address = ''
}

/** Notes that a gate stopped one channel. */
export function stopChannel(
  asked: Asked,
  delivery: PlannedDelivery,
  gate: Gate,
  reason: GateReason,
  rest?: Pick<Step, 'inputs' | 'until' | 'versions'>,
): void {
  suppress(delivery, reason)
  asked.steps.push({ gate, channel: delivery.channel, verdict: 'suppress', reason, ...rest })
}

/** A field of a record whose keys users choose: `constructor` is a key like any other. */
export function field<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
