import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import { suppressionReasons } from '../../domain/person.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { dateTime, email, faultsOf, indexed, oneLine, orAbsent, text } from '../../pipeline/accept/validate-fields.ts'
import {
  addSuppressions,
  pageSuppressions,
  removeSuppression,
  type SuppressedAddress,
  type SuppressionReason,
  type SuppressionRow,
} from '../../store/suppressions.ts'
import { builder } from './builder.ts'
import { type Connection, PageInfo, PaginationInput, pageWindow, toConnection } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { decodeAddressCursor, encodeAddressCursor } from './cursors.ts'
import { fault, validationFault } from './errors.ts'
import { ChannelEnum } from './scalars.ts'

const maxAdded = 1_000

const SuppressionReasonEnum = builder.enumType('SuppressionReason', {
  values: Object.fromEntries(suppressionReasons.map((value) => [value.toUpperCase(), { value }])) as Record<
    Uppercase<SuppressionReason>,
    { value: SuppressionReason }
  >,
})

const Suppression = builder.objectRef<SuppressionRow>('Suppression').implement({
  description: 'An address to which nothing is sent, whosever it is.',
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, resolve: (row) => row.channel }),
    address: t.exposeString('address'),
    reason: t.field({ type: SuppressionReasonEnum, resolve: (row) => row.reason }),
    source: t.exposeString('source'),
    note: t.exposeString('note', { nullable: true }),
    createdAt: t.field({ type: 'DateTime', resolve: (row) => row.created_at }),
    expiresAt: t.field({ type: 'DateTime', nullable: true, resolve: (row) => row.expires_at }),
  }),
})

const SuppressionEdge = builder.objectRef<Connection<SuppressionRow>['edges'][number]>('SuppressionEdge').implement({
  fields: (t) => ({
    node: t.field({ type: Suppression, resolve: (edge) => edge.node }),
    cursor: t.exposeString('cursor'),
  }),
})

const SuppressionConnection = builder.objectRef<Connection<SuppressionRow>>('SuppressionConnection').implement({
  fields: (t) => ({
    edges: t.field({ type: [SuppressionEdge], resolve: (connection) => connection.edges }),
    nodes: t.field({ type: [Suppression], resolve: (connection) => connection.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (connection) => connection.pageInfo }),
  }),
})

const SuppressionInput = builder.inputType('SuppressionInput', {
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, required: true }),
    address: t.string({ required: true }),
    reason: t.field({ type: SuppressionReasonEnum, description: 'Default: MANUAL.' }),
    source: t.string({ description: 'Who says so. Default: the API key.' }),
    note: t.string(),
    expiresAt: t.field({ type: 'DateTime', description: 'Absent: for good.' }),
  }),
})

const SuppressionFilters = builder.inputType('SuppressionFilters', {
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum }),
    reason: t.field({ type: SuppressionReasonEnum }),
    address: t.string(),
    expired: t.boolean({ description: 'true: those that do not hold any more, too.' }),
  }),
})

const line = z.object({
  channel: z.custom<Channel>(),
  address: indexed(1_024).pipe(oneLine(1_024)),
  reason: z.custom<SuppressionReason>().nullish(),
  source: orAbsent(text(1, 200)),
  note: orAbsent(text(0, 2_000)),
  expiresAt: orAbsent(dateTime),
})

function judgeLines(inputs: readonly unknown[], source: string, now: Date): SuppressedAddress[] {
  if (inputs.length > maxAdded) {
    throw fault('BAD_USER_INPUT', `inputs must be at most ${maxAdded}`, { path: ['inputs'] })
  }
  const faults: InputFault[] = []
  const lines = inputs.flatMap((input, index) => {
    const path = ['inputs', String(index)]
    const judged = line.safeParse(input)
    if (!judged.success) {
      faults.push(...faultsOf(judged.error, path))
      return []
    }
    const { channel, address, expiresAt } = judged.data
    const refuse = (field: string, message: string) => faults.push({ path: [...path, field], message })
    if (channel === 'email' && !email.safeParse(address).success) refuse('address', 'is not an e-mail address')
    if ((channel === 'sms' || channel === 'voice') && !/\d/.test(address)) refuse('address', 'is not a phone number')
    if (expiresAt && expiresAt <= now) refuse('expiresAt', 'must be in the future')
    return [{ ...judged.data, reason: judged.data.reason ?? 'manual', source: judged.data.source ?? source }]
  })
  if (faults.length > 0) throw validationFault(faults)
  return lines
}

builder.mutationField('addSuppressions', (t) =>
  t.field({
    type: [Suppression],
    description: 'Up to 1000 addresses; all of them or, if one is at fault, none. One that was there is replaced.',
    args: { inputs: t.arg({ type: [SuppressionInput], required: true }) },
    resolve: (_root, { inputs }, context) => {
      requireScope(context, 'manage')
      const { tenantId, keyId } = context.principal
      const now = context.services.clock.now()
      const lines = judgeLines(inputs, `key ${keyId}`, now)
      return asCaller(context, (trx) => addSuppressions(trx, tenantId, lines, now))
    },
  }),
)

builder.mutationField('removeSuppression', (t) =>
  t.boolean({
    description: 'Takes an address back into use. False: it was not suppressed.',
    args: { channel: t.arg({ type: ChannelEnum, required: true }), address: t.arg.string({ required: true }) },
    resolve: (_root, { channel, address }, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => removeSuppression(trx, context.principal.tenantId, channel, address))
    },
  }),
)

builder.queryField('suppressions', (t) =>
  t.field({
    type: SuppressionConnection,
    description: 'By channel and address.',
    args: { filters: t.arg({ type: SuppressionFilters }), pagination: t.arg({ type: PaginationInput }) },
    resolve: async (_root, { filters, pagination }, context) => {
      requireScope(context, 'manage')
      const window = pageWindow(pagination, decodeAddressCursor)
      const page = {
        channel: filters?.channel ?? undefined,
        reason: filters?.reason ?? undefined,
        address: filters?.address ?? undefined,
        expired: filters?.expired ?? false,
        after: window.olderThan,
        before: window.newerThan,
        forward: window.newestFirst,
        limit: window.size + 1,
      }
      const rows = await asCaller(context, (trx) =>
        pageSuppressions(trx, context.principal.tenantId, page, context.services.clock.now()),
      )
      return toConnection(rows, window, (row) => encodeAddressCursor(row.channel, row.address))
    },
  }),
)
