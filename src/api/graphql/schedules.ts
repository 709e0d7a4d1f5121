import type pg from 'pg'
import { firstOccurrence } from '../../domain/recurring.ts'
import { nextOccurrence } from '../../domain/time/recurrence.ts'
import {
  createSchedule,
  deleteSchedule,
  type KeptSchedule,
  listSchedules,
  lockSchedule,
  updateSchedule,
} from '../../store/schedules.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Recurrence, RecurrenceInput } from './recurrence.ts'
import { judgeSchedule, requestAsWritten } from './schedule-rules.ts'
import { SendNotificationInput } from './send-inputs.ts'
import { isUuid } from './uuid.ts'

const maxSchedules = 1_000
const maxUpcoming = 50

const RecurringSchedule = builder.objectRef<KeptSchedule>('Schedule').implement({
  description: 'A request or an event that is sent again and again, each occurrence once.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    recurrence: t.field({ type: Recurrence, resolve: (schedule) => schedule.recurrence }),
    send: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The SendNotificationInput; null where it is an event.',
      resolve: (schedule) => (schedule.kind === 'direct' ? requestAsWritten(schedule) : null),
    }),
    event: t.field({
      type: 'JSON',
      nullable: true,
      resolve: (schedule) => (schedule.kind === 'event' ? requestAsWritten(schedule) : null),
    }),
    startsAt: t.field({ type: 'DateTime', resolve: (schedule) => schedule.startsAt }),
    endsAt: t.field({ type: 'DateTime', nullable: true, resolve: (schedule) => schedule.endsAt ?? null }),
    expiresAfter: t.int({
      nullable: true,
      description: 'Seconds',
      resolve: ({ expiresAfterMs }) => (expiresAfterMs === undefined ? null : expiresAfterMs / 1000),
    }),
    enabled: t.exposeBoolean('enabled'),
    nextAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'null: it is switched off, or does not come again.',
      resolve: (schedule) => (schedule.enabled ? (schedule.nextAt ?? null) : null),
    }),
    upcoming: t.field({
      type: ['DateTime'],
      description: `The next occurrences, whether or not it is enabled; at most ${maxUpcoming}.`,
      args: { first: t.arg.int({ defaultValue: 5 }) },
      resolve: (schedule, { first }, context) => upcoming(schedule, first ?? 5, context.services.clock.now()),
    }),
    runs: t.exposeInt('runs', { description: 'Occurrences that were accepted.' }),
    lastOccurrence: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: (schedule) => schedule.lastOccurrence ?? null,
    }),
    lastRunAt: t.field({ type: 'DateTime', nullable: true, resolve: (schedule) => schedule.lastRunAt ?? null }),
    lastIntentId: t.id({ nullable: true, resolve: (schedule) => schedule.lastIntentId ?? null }),
    lastError: t.string({
      nullable: true,
      description: 'Why the last occurrence was not accepted.',
      resolve: (schedule) => schedule.lastError ?? null,
    }),
    createdAt: t.field({ type: 'DateTime', resolve: (schedule) => schedule.createdAt }),
    updatedAt: t.field({ type: 'DateTime', resolve: (schedule) => schedule.updatedAt }),
  }),
})

function upcoming(schedule: KeptSchedule, count: number, now: Date): Date[] {
  if (count < 1 || count > maxUpcoming) {
    throw fault('BAD_USER_INPUT', `first must be 1 to ${maxUpcoming}`, { path: ['first'] })
  }
  const found: Date[] = []
  let from = now
  while (found.length < count) {
    const next = firstOccurrence(schedule, from, (after) => nextOccurrence(schedule.recurrence, after, 'UTC'))
    if (!next) break
    found.push(next)
    from = new Date(next.getTime() + 1)
  }
  return found
}

const ScheduledEventInput = builder.inputType('ScheduledEventInput', {
  description: 'An EventInput, whose id and moment each occurrence has of its own.',
  fields: (t) => ({
    type: t.string({ required: true }),
    domain: t.string(),
    source: t.string(),
    data: t.field({ type: 'JSON', required: true }),
    correlationId: t.string(),
  }),
})

const RecurringScheduleInput = builder.inputType('RecurringScheduleInput', {
  description: 'A schedule as it shall be.',
  fields: (t) => ({
    name: t.string({ required: true }),
    recurrence: t.field({ type: RecurrenceInput, required: true }),
    send: t.field({
      type: SendNotificationInput,
      description: 'What is sent; without idempotencyKey, scheduledAt and expiresAt. Exactly one of send and event.',
    }),
    event: t.field({ type: ScheduledEventInput }),
    startsAt: t.field({ type: 'DateTime', description: 'No occurrence before it; default: now.' }),
    endsAt: t.field({ type: 'DateTime', description: 'No occurrence from it on.' }),
    expiresAfter: t.int({ description: 'Seconds after its occurrence after which it is not sent any more.' }),
    enabled: t.boolean({ defaultValue: true }),
  }),
})

builder.mutationField('createSchedule', (t) =>
  t.field({
    type: RecurringSchedule,
    args: { input: t.arg({ type: RecurringScheduleInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      requireScope(context, 'manage')
      const { clock, ids } = context.services
      const now = clock.now()
      const { tenantId } = context.principal
      const judged = judgeSchedule(input, ids.id(), tenantId, now)
      const written = await asCaller(context, async (trx) => {
        const created = await createSchedule(trx, tenantId, judged, now, maxSchedules)
        return created ?? ((await listSchedules(trx, tenantId, maxSchedules)).length < maxSchedules ? 'taken' : 'full')
      })
      if (written === 'taken') throw nameTaken()
      if (written === 'full') throw fault('BAD_USER_INPUT', `there are ${maxSchedules} schedules, and may not be more`)
      return written
    },
  }),
)

builder.mutationField('updateSchedule', (t) =>
  t.field({
    type: RecurringSchedule,
    description: 'Writes a schedule anew; what is left out is cleared. It goes on with its next occurrence.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: RecurringScheduleInput, required: true }) },
    resolve: (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      return rewriting(context, id, (before, now) => judgeSchedule(input, id, context.principal.tenantId, now, before))
    },
  }),
)

builder.mutationField('enableSchedule', (t) =>
  t.field({
    type: RecurringSchedule,
    description: 'Switches a schedule on or off. What it missed meanwhile is not made up for.',
    args: { id: t.arg.id({ required: true }), enabled: t.arg.boolean({ defaultValue: true }) },
    resolve: (_root, { id, enabled }, context) => {
      requireScope(context, 'manage')
      return rewriting(context, id, (before, now) => {
        if (before.enabled === (enabled ?? true)) return before
        const next = (after: Date) => nextOccurrence(before.recurrence, after, 'UTC')
        return { ...before, enabled: enabled ?? true, nextAt: firstOccurrence(before, now, next) }
      })
    },
  }),
)

builder.mutationField('deleteSchedule', (t) =>
  t.field({
    type: 'Boolean',
    description: 'What its occurrences have asked for goes on.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const { tenantId } = context.principal
      if (!isUuid(id) || !(await asCaller(context, (trx) => deleteSchedule(trx, tenantId, id)))) throw notFound()
      return true
    },
  }),
)

builder.queryField('schedules', (t) =>
  t.field({
    type: [RecurringSchedule],
    description: `By name; at most ${maxSchedules}.`,
    resolve: (_root, _args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => listSchedules(trx, context.principal.tenantId, maxSchedules))
    },
  }),
)

builder.queryField('schedule', (t) =>
  t.field({
    type: RecurringSchedule,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      if (!isUuid(id)) return null
      const found = await asCaller(context, (trx) => listSchedules(trx, context.principal.tenantId, 1, id))
      return found[0] ?? null
    },
  }),
)

type Rewrite = (before: KeptSchedule, now: Date) => Parameters<typeof updateSchedule>[2]

async function rewriting(context: ApiContext, id: string, rewrite: Rewrite): Promise<KeptSchedule> {
  const { tenantId } = context.principal
  const now = context.services.clock.now()
  const write = async (trx: pg.PoolClient) => {
    const before = await lockSchedule(trx, tenantId, id)
    return before && updateSchedule(trx, tenantId, rewrite(before, now), now)
  }
  const written = isUuid(id) ? await asCaller(context, write).catch(nameFault) : undefined
  if (!written) throw notFound()
  return written
}

const nameTaken = () => validationFault([{ path: ['input', 'name'], message: 'has a schedule already' }])
const notFound = () => fault('NOT_FOUND', 'there is no such schedule', { path: ['id'] })

function nameFault(error: unknown): never {
  throw (error as { code?: unknown }).code === '23505' ? nameTaken() : error
}
