import { GraphQLError, Kind, valueFromASTUntyped } from 'graphql'
import { type Channel, channels } from '../../domain/channel.ts'
import { type NotificationStatus, notificationStatuses } from '../../domain/notification-status.ts'
import { type Priority, priorities } from '../../domain/priority.ts'
import { builder } from './builder.ts'

const notText = () => new GraphQLError('DateTime is a string in ISO 8601', { extensions: { code: 'BAD_USER_INPUT' } })

builder.scalarType('DateTime', {
  description: 'A moment in ISO 8601. Given in UTC; taken with any offset, but with one.',
  serialize: (value) => (value instanceof Date ? value : new Date(value)).toISOString(),
  parseValue(value) {
    if (typeof value !== 'string') throw notText()
    return value
  },
  parseLiteral(node) {
    if (node.kind !== Kind.STRING) throw notText()
    return node.value
  },
})

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
})

/** Enum values are upper case outside and lower case within. */
function upperCase<Value extends string>(values: readonly Value[]): Record<Uppercase<Value>, { value: Value }> {
  return Object.fromEntries(values.map((value) => [value.toUpperCase(), { value }])) as Record<
    Uppercase<Value>,
    { value: Value }
  >
}

export const ChannelEnum = builder.enumType('Channel', { values: upperCase<Channel>(channels) })

export const StatusEnum = builder.enumType('NotificationStatus', {
  values: upperCase<NotificationStatus>(notificationStatuses),
})

export const RecipientTypeEnum = builder.enumType('RecipientType', {
  values: upperCase(['user', 'role', 'group', 'system'] as const),
})

export const PriorityEnum = builder.enumType('Priority', {
  values: Object.fromEntries(Object.entries(priorities).map(([name, value]) => [name, { value }])) as Record<
    Priority,
    { value: number }
  >,
})
