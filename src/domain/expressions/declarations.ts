import { priorities } from '../priority.ts'
import { listOf, mapOf, type StaticType, types } from './static-types.ts'

const dataType = mapOf(types.string, types.dyn)

/** The fields of an event that an expression can name; a field that was not given reads as empty, and `has` tells. */
export const eventFields = {
  id: types.string,
  type: types.string,
  domain: types.string,
  source: types.string,
  occurredAt: types.timestamp,
  acceptedAt: types.timestamp,
  category: types.string,
  priority: types.int,
  correlationId: types.string,
  data: dataType,
} as const satisfies Record<string, StaticType>

export const recipientFields = {
  id: types.string,
  name: types.string,
  locale: types.string,
  timezone: types.string,
  roles: listOf(types.string),
  groups: listOf(types.string),
  attributes: dataType,
} as const satisfies Record<string, StaticType>

export const variables = {
  event: { kind: 'record', name: 'event', fields: eventFields },
  recipient: { kind: 'record', name: 'recipient', fields: recipientFields },
  now: types.timestamp,
} as const satisfies Record<string, StaticType>

export type Variable = keyof typeof variables

/** `LOW` … `CRITICAL`, so that `event.priority >= HIGH` reads as it is meant. */
export const constants: Readonly<Record<string, bigint>> = Object.fromEntries(
  Object.entries(priorities).map(([name, value]) => [name, BigInt(value)]),
)
