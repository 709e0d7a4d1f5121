import type pg from 'pg'
import { ofTenant } from '../../domain/limits/allot.ts'
import { judgeLimit, type NewLimit } from '../../domain/limits/limit-rules.ts'
import { type Usage, usageOf } from '../../domain/limits/usage.ts'
import {
  createLimit,
  deleteLimit,
  findCounts,
  type LimitRefusal,
  type LimitRow,
  limitOf,
  listLimits,
  updateLimit,
} from '../../store/limits.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { ChannelEnum } from './scalars.ts'
import { isUuid } from './uuid.ts'

/** Each is looked at for each delivery. */
const maxLimits = 100

const LimitScope = builder.enumType('LimitScope', {
  values: {
    USER: { value: 'user', description: 'of each recipient' },
    TENANT: { value: 'tenant', description: 'of all recipients together' },
    SYSTEM: { value: 'system', description: 'of the whole installation: only the operator sets those' },
  } as const,
})
const CalendarPeriod = builder.enumType('CalendarPeriod', {
  description: 'In UTC.',
  values: { DAY: { value: 'day' }, MONTH: { value: 'month' } } as const,
})
const LimitExcess = builder.enumType('LimitExcess', {
  values: {
    SNOOZE: { value: 'snooze', description: 'It waits until there is room.' },
    SUPPRESS: { value: 'suppress', description: 'It is not sent.' },
  } as const,
})

const RateLimit = builder.objectRef<LimitRow>('RateLimit').implement({
  description:
    'How much may be sent: in each sliding window of so many seconds, or in each calendar day or month (a quota).',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    scope: t.field({ type: LimitScope, resolve: ({ scope }) => scope }),
    category: t.exposeString('category', { nullable: true }),
    channel: t.field({ type: ChannelEnum, nullable: true, resolve: ({ channel }) => channel }),
    max: t.exposeInt('max'),
    windowSeconds: t.exposeInt('window_seconds', { nullable: true }),
    calendar: t.field({ type: CalendarPeriod, nullable: true, resolve: ({ calendar }) => calendar }),
    onExcess: t.field({
      type: LimitExcess,
      nullable: true,
      description: 'null: as the category says.',
      resolve: (limit) => limit.on_excess,
    }),
    allowCritical: t.exposeBoolean('allow_critical', { description: 'CRITICAL is counted, and let through.' }),
    byOperator: t.exposeBoolean('is_operators', {
      description: 'Set by the operator of the service: you cannot change it.',
    }),
    createdAt: t.field({ type: 'DateTime', resolve: (limit) => limit.created_at }),
    updatedAt: t.field({ type: 'DateTime', resolve: (limit) => limit.updated_at }),
  }),
})

const RateLimitInput = builder.inputType('RateLimitInput', {
  description: 'A limit as it shall be. Either windowSeconds or calendar.',
  fields: (t) => ({
    name: t.string({ required: true }),
    scope: t.field({ type: LimitScope, required: true }),
    category: t.string({
      description: 'Only of this category, and of those below it: `marketing` covers `marketing.news`.',
    }),
    channel: t.field({ type: ChannelEnum, description: 'Only of this channel. Absent: of all but IN_APP and AUDIT.' }),
    max: t.int({ required: true }),
    windowSeconds: t.int({ description: 'A sliding window, of up to 366 days.' }),
    calendar: t.field({ type: CalendarPeriod, description: 'A quota of each day or month, in UTC.' }),
    onExcess: t.field({ type: LimitExcess, description: 'What becomes of the excess; absent: as the category says.' }),
    allowCritical: t.boolean({ defaultValue: false, description: 'CRITICAL is counted, and let through.' }),
  }),
})

interface LimitUse extends Usage {
  limit: LimitRow
}

const LimitUsage = builder.objectRef<LimitUse>('LimitUsage').implement({
  description: 'How much of a limit is used up. What waits does not count.',
  fields: (t) => ({
    limit: t.field({ type: RateLimit, resolve: ({ limit }) => limit }),
    used: t.exposeInt('used'),
    remaining: t.exposeInt('remaining'),
    since: t.field({ type: 'DateTime', description: 'Since when is counted.', resolve: ({ since }) => since }),
    freesAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When some of it leaves the window, or the new day or month begins; null: nothing is used.',
      resolve: ({ freesAt }) => freesAt,
    }),
  }),
})

builder.queryField('rateLimits', (t) =>
  t.field({
    type: [RateLimit],
    description: 'All that concern you: your own by name, then those of the operator.',
    resolve: (_root, _args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => listLimits(trx, context.principal.tenantId))
    },
  }),
)

builder.queryField('limitUsage', (t) =>
  t.field({
    type: [LimitUsage],
    description: 'Of the limits of the tenant; with a recipient, of those of this recipient, too.',
    args: { userId: t.arg.id({ description: 'Your id of the recipient.' }) },
    resolve: async (_root, { userId }, context): Promise<LimitUse[]> => {
      requireScope(context, 'manage')
      const { tenantId } = context.principal
      const subjects = userId ? [ofTenant, userId] : [ofTenant]
      const [limits, counts] = await asCaller(context, async (trx) => [
        await listLimits(trx, tenantId),
        await findCounts(trx, tenantId, subjects),
      ])
      const now = context.services.clock.now()
      return limits
        .filter(({ scope }) => scope === 'tenant' || (scope === 'user' && userId))
        .map((limit) => ({
          limit,
          ...usageOf(limitOf(limit), counts.get(limit.scope === 'user' ? userId! : ofTenant), now),
        }))
    },
  }),
)

builder.mutationField('createRateLimit', (t) =>
  t.field({
    type: RateLimit,
    description: 'It counts from now on, and holds everywhere within a second.',
    args: { input: t.arg({ type: RateLimitInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const limit = judged(input)
      const { ids, clock } = context.services
      return writing(context, (trx, tenantId) => createLimit(trx, tenantId, ids.id(), limit, maxLimits, clock.now()))
    },
  }),
)

builder.mutationField('updateRateLimit', (t) =>
  t.field({
    type: RateLimit,
    description: 'What it has counted stays.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: RateLimitInput, required: true }) },
    resolve: (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      const limit = judged(input)
      return writing(context, async (trx, tenantId) => {
        const row = isUuid(id) ? await updateLimit(trx, tenantId, id, limit, context.services.clock.now()) : undefined
        if (!row) throw notFound()
        return row
      })
    },
  }),
)

builder.mutationField('deleteRateLimit', (t) =>
  t.field({
    type: 'Boolean',
    description: 'What waits because of it is decided anew when its time comes.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const isGone = isUuid(id) && (await asCaller(context, (trx) => deleteLimit(trx, context.principal.tenantId, id)))
      if (!isGone) throw notFound()
      return true
    },
  }),
)

function judged(input: object): NewLimit {
  const { limit, faults } = judgeLimit({ ...input })
  if (faults) throw validationFault(faults.map(({ path, message }) => ({ path: ['input', ...path], message })))
  return limit
}

async function writing(
  context: ApiContext,
  work: (trx: pg.PoolClient, tenantId: string) => Promise<LimitRow | LimitRefusal>,
): Promise<LimitRow> {
  const written = await asCaller(context, (trx) => work(trx, context.principal.tenantId)).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === '23505') return 'name_taken' as const
    throw error
  })
  if (written === 'name_taken')
    throw validationFault([{ path: ['input', 'name'], message: 'is the name of another limit' }])
  if (written === 'too_many')
    throw validationFault([{ path: ['input'], message: `there are ${maxLimits} limits already` }])
  return written
}

const notFound = () => fault('NOT_FOUND', 'there is no such limit of yours', { path: ['id'] })
