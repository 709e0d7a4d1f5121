import type { CelInput, CelValue } from '@bufbuild/cel'
import { constants, eventFields, recipientFields } from './declarations.ts'
import { CelRecord, celTimestamp } from './records.ts'

/** An event as expressions see it; what is absent reads as empty. */
export interface EventFacts {
  id: string
  type: string
  domain?: string
  source?: string
  /** By default when it was accepted. */
  occurredAt?: Date
  acceptedAt: Date
  category?: string
  /** 0 LOW … 3 CRITICAL. */
  priority: number
  correlationId?: string
  data: Readonly<Record<string, unknown>>
}

export interface RecipientFacts {
  id: string
  name?: string
  locale?: string
  timezone?: string
  roles?: readonly string[]
  groups?: readonly string[]
  attributes?: Readonly<Record<string, unknown>>
}

/** The values of the variables of one evaluation; opaque. */
export interface Scope {
  readonly bindings: Record<string, CelInput>
}

/**
 * Make one for each event, and evaluate every rule with it: what an expression reads of the event is converted once.
 * `data` must not change meanwhile.
 */
export function scopeOf(facts: { event?: EventFacts; recipient?: RecipientFacts; now: Date }): Scope {
  const bindings: Record<string, CelInput> = Object.create(null)
  Object.assign(bindings, constants)
  bindings.now = celTimestamp(facts.now)
  if (facts.event) {
    const { event } = facts
    bindings.event = record(eventFields, event.occurredAt ? event : { ...event, occurredAt: event.acceptedAt })
  }
  if (facts.recipient) bindings.recipient = record(recipientFields, facts.recipient)
  return { bindings }
}

/** The same event for one recipient; what was converted of the event is shared. */
export function withRecipient(scope: Scope, recipient: RecipientFacts): Scope {
  const bindings: Record<string, CelInput> = Object.assign(Object.create(null), scope.bindings)
  bindings.recipient = record(recipientFields, recipient)
  return { bindings }
}

function record(fields: ConstructorParameters<typeof CelRecord>[0], given: object): CelValue {
  return new CelRecord(fields, given as Record<string, unknown>) as unknown as CelValue
}
