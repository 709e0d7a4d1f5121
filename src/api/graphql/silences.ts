import { z } from 'zod'
import { matcherOptions, type Silence, windowsOf } from '../../domain/silences.ts'
import { dateTime, faultsOf, oneLine, orAbsent, text } from '../../pipeline/accept/validate-fields.ts'
import {
  createSilence,
  endSilence,
  findSilence,
  type KeptSilence,
  listSilences,
  loadSilences,
  type SilenceState,
  silenceStates,
  updateSilence,
} from '../../store/silences.ts'
import { builder } from './builder.ts'
import { asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { expressionField } from './expression-field.ts'
import { Recurrence, RecurrenceInput, recurrence } from './recurrence.ts'
import { isUuid } from './uuid.ts'

const maxListed = 500
/** Each is asked of each event. */
const maxUnended = 500
const maxDurationSeconds = 366 * 86_400

const SilenceStateEnum = builder.enumType('SilenceState', {
  values: Object.fromEntries(silenceStates.map((state) => [state.toUpperCase(), { value: state }])) as Record<
    Uppercase<SilenceState>,
    { value: SilenceState }
  >,
})

const SilenceType = builder.objectRef<KeptSilence>('Silence').implement({
  description:
    'Events that match are told to nobody. With a recurrence it is a maintenance window. It stays listed when it is over.',
  fields: (t) => ({
    id: t.exposeID('id'),
    matcher: t.exposeString('matcher', { description: 'CEL over `event` and `now`' }),
    startsAt: t.field({ type: 'DateTime', resolve: (silence) => silence.startsAt }),
    endsAt: t.field({ type: 'DateTime', nullable: true, resolve: (silence) => silence.endsAt ?? null }),
    recurrence: t.field({ type: Recurrence, nullable: true, resolve: (silence) => silence.recurrence ?? null }),
    duration: t.int({
      nullable: true,
      description: 'Seconds from each occurrence',
      resolve: ({ durationMs }) => (durationMs === undefined ? null : durationMs / 1000),
    }),
    author: t.exposeString('author'),
    comment: t.exposeString('comment'),
    state: t.field({
      type: SilenceStateEnum,
      description: 'ACTIVE from startsAt to endsAt; a maintenance window also between its occurrences.',
      resolve: (silence, _args, context) => stateAt(silence, context.services.clock.now()),
    }),
    holding: t.boolean({
      description: 'Whether it holds events back at this moment.',
      resolve: (silence, _args, context) => windowsOf(silence)(context.services.clock.now()) !== undefined,
    }),
    createdAt: t.field({ type: 'DateTime', resolve: (silence) => silence.createdAt }),
    updatedAt: t.field({ type: 'DateTime', resolve: (silence) => silence.updatedAt }),
  }),
})

function stateAt({ startsAt, endsAt }: Silence, now: Date): SilenceState {
  if (endsAt && endsAt <= now) return 'expired'
  return startsAt > now ? 'pending' : 'active'
}

const SilenceInput = builder.inputType('SilenceInput', {
  description: 'A silence as it shall be.',
  fields: (t) => ({
    matcher: t.string({ required: true, description: 'CEL over `event` and `now`: `event.data.host == "db-1"`' }),
    startsAt: t.field({ type: 'DateTime', description: 'Default: now.' }),
    endsAt: t.field({ type: 'DateTime', description: 'Needed without a recurrence.' }),
    recurrence: t.field({
      type: RecurrenceInput,
      description: 'A maintenance window that comes again; with duration.',
    }),
    duration: t.int({ description: 'Seconds from each occurrence.' }),
    author: t.string({ required: true, description: 'Who is to be asked about it.' }),
    comment: t.string({ required: true, description: 'Why; it is told with what was held back.' }),
  }),
})

const fields = z
  .object({
    matcher: expressionField(matcherOptions),
    startsAt: orAbsent(dateTime),
    endsAt: orAbsent(dateTime),
    recurrence: orAbsent(recurrence),
    duration: orAbsent(z.int().min(60, 'must be at least 60').max(maxDurationSeconds, 'must be at most 366 days')),
    author: oneLine(200).refine((value) => value !== '', 'must not be empty'),
    comment: text(1, 2_000),
  })
  .superRefine(({ endsAt, recurrence, duration }, check) => {
    const issue = (path: string, message: string) => check.addIssue({ code: 'custom', path: [path], message })
    if (!recurrence && !endsAt) issue('endsAt', 'is needed where there is no recurrence')
    if (!recurrence && duration !== undefined) issue('duration', 'is for a recurrence; without one there is endsAt')
    if (recurrence && duration === undefined) issue('duration', 'is needed with a recurrence')
  })

function judgeSilence(input: z.input<typeof fields>, id: string, now: Date, before?: Silence): Silence {
  const judged = fields.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['input']))
  const { duration, startsAt = before?.startsAt ?? now, endsAt, ...rest } = judged.data
  const refuse = (message: string) => validationFault([{ path: ['input', 'endsAt'], message }])
  if (endsAt && endsAt <= startsAt) throw refuse('must be after startsAt')
  if (endsAt && endsAt <= now) throw refuse('must be in the future; endSilence ends it now')
  return { id, startsAt, endsAt, ...rest, durationMs: duration === undefined ? undefined : duration * 1000 }
}

builder.mutationField('createSilence', (t) =>
  t.field({
    type: SilenceType,
    args: { input: t.arg({ type: SilenceInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const { clock, ids } = context.services
      const { tenantId } = context.principal
      const now = clock.now()
      const silence = judgeSilence(input, ids.id(), now)
      return asCaller(context, async (trx) => {
        const unended = await loadSilences(trx, tenantId, now)
        if (unended.length < maxUnended) return createSilence(trx, tenantId, silence, now)
        throw fault('BAD_USER_INPUT', `there are ${maxUnended} silences that are not over, and may not be more`)
      })
    },
  }),
)

builder.mutationField('updateSilence', (t) =>
  t.field({
    type: SilenceType,
    description: 'Writes a silence anew that is not over; what is left out is cleared.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: SilenceInput, required: true }) },
    resolve: async (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      const { tenantId } = context.principal
      const now = context.services.clock.now()
      if (!isUuid(id)) throw notFound()
      return asCaller(context, async (trx) => {
        const before = await findSilence(trx, tenantId, id)
        if (!before) throw notFound()
        const written = await updateSilence(trx, tenantId, judgeSilence(input, id, now, before), now)
        if (!written) throw validationFault([{ path: ['id'], message: 'is a silence that is over; make a new one' }])
        return written
      })
    },
  }),
)

builder.mutationField('endSilence', (t) =>
  t.field({
    type: SilenceType,
    description: 'Ends a silence now, or before it began; it stays listed.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const now = context.services.clock.now()
      const end = isUuid(id) && (await asCaller(context, (trx) => endSilence(trx, context.principal.tenantId, id, now)))
      if (!end) throw notFound()
      return end
    },
  }),
)

builder.queryField('silences', (t) =>
  t.field({
    type: [SilenceType],
    description: `The newest first, also those that are over; at most ${maxListed} at once.`,
    args: {
      state: t.arg({ type: SilenceStateEnum }),
      first: t.arg.int({ defaultValue: 100 }),
      after: t.arg.id({ description: 'The id of the last one of the page before.' }),
    },
    resolve: (_root, { state, first, after }, context) => {
      requireScope(context, 'manage')
      const limit = first ?? 100
      if (limit < 1 || limit > maxListed) {
        throw fault('BAD_USER_INPUT', `first must be 1 to ${maxListed}`, { path: ['first'] })
      }
      if (after != null && !isUuid(after)) throw fault('BAD_USER_INPUT', 'after is not an id', { path: ['after'] })
      const now = context.services.clock.now()
      const page = { limit, state: state ?? undefined, before: after ?? undefined, now }
      return asCaller(context, (trx) => listSilences(trx, context.principal.tenantId, page))
    },
  }),
)

const notFound = () => fault('NOT_FOUND', 'there is no such silence', { path: ['id'] })
