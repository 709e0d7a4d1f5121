import type pg from 'pg'
import { z } from 'zod'
import { matcherOptions } from '../../domain/silences.ts'
import { faultsOf, oneLine, orAbsent } from '../../pipeline/accept/validate-fields.ts'
import {
  closeAlert,
  createInhibition,
  deleteInhibition,
  type KeptInhibition,
  listInhibitions,
  listOpenAlerts,
  type NewInhibition,
  type OpenAlert,
  updateInhibition,
} from '../../store/inhibitions.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { expressionField } from './expression-field.ts'
import { isUuid } from './uuid.ts'

const maxInhibitions = 100
const maxEqual = 20
const maxAlerts = 1_000
const maxOpenForSeconds = 366 * 86_400

const InhibitionType = builder.objectRef<KeptInhibition>('Inhibition').implement({
  description: 'While an event of the source is open, those of the target with equal keys are held back.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    source: t.exposeString('source'),
    target: t.exposeString('target'),
    equal: t.stringList({ resolve: (inhibition) => [...inhibition.equal] }),
    resolved: t.string({ nullable: true, resolve: (inhibition) => inhibition.resolved ?? null }),
    alert: t.string({ nullable: true, resolve: (inhibition) => inhibition.alert ?? null }),
    openFor: t.int({
      nullable: true,
      description: 'Seconds',
      resolve: ({ openForMs }) => (openForMs === undefined ? null : openForMs / 1000),
    }),
    enabled: t.exposeBoolean('enabled'),
    createdAt: t.field({ type: 'DateTime', resolve: (inhibition) => inhibition.createdAt }),
    updatedAt: t.field({ type: 'DateTime', resolve: (inhibition) => inhibition.updatedAt }),
  }),
})

const OpenAlertType = builder.objectRef<OpenAlert>('OpenAlert').implement({
  description: 'A source of an inhibition that is open.',
  fields: (t) => ({
    inhibitionId: t.exposeID('inhibition_id'),
    key: t.exposeString('key', {
      description: 'The values of `equal`, as a JSON list; a digest of them where it is long.',
    }),
    alert: t.exposeString('alert'),
    eventId: t.exposeString('event_id', { nullable: true, description: 'The event that opened it.' }),
    openedAt: t.field({ type: 'DateTime', resolve: (alert) => alert.opened_at }),
    expiresAt: t.field({ type: 'DateTime', nullable: true, resolve: (alert) => alert.expires_at }),
  }),
})

const InhibitionInput = builder.inputType('InhibitionInput', {
  description: 'An inhibition as it shall be. Everything but the name is CEL over `event`.',
  fields: (t) => ({
    name: t.string({ required: true }),
    source: t.string({ required: true, description: 'Events that open an alert.' }),
    target: t.string({ required: true, description: 'Events that are held back meanwhile.' }),
    equal: t.stringList({ description: 'What both must agree in; what both do not have is equal. Default: nothing.' }),
    resolved: t.string({
      description: 'Events that say that it is over. Default: those of the source whose `data.status` is "resolved".',
    }),
    alert: t.string({ description: 'Tells alerts of equal keys apart. Default: there is one for each key.' }),
    openFor: t.int({
      description: 'Seconds after its last event after which an alert is over even so. Default: never.',
    }),
    enabled: t.boolean({ defaultValue: true }),
  }),
})

const condition = expressionField(matcherOptions)
const value = expressionField({ ...matcherOptions, kind: 'value' })

const fields = z.object({
  name: oneLine(200).refine((name) => name !== '', 'must not be empty'),
  source: condition,
  target: condition,
  equal: orAbsent(z.array(value).max(maxEqual, `must be at most ${maxEqual}`)),
  resolved: orAbsent(condition),
  alert: orAbsent(value),
  openFor: orAbsent(z.int().min(1, 'must be at least 1').max(maxOpenForSeconds, 'must be at most 366 days')),
  enabled: orAbsent(z.boolean()),
})

function judgeInhibition(input: z.input<typeof fields>, id: string): NewInhibition {
  const judged = fields.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['input']))
  const { openFor, equal = [], enabled = true, ...rest } = judged.data
  return { id, ...rest, equal, enabled, openForMs: openFor === undefined ? undefined : openFor * 1000 }
}

builder.mutationField('createInhibition', (t) =>
  t.field({
    type: InhibitionType,
    args: { input: t.arg({ type: InhibitionInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const { clock, ids } = context.services
      const { tenantId } = context.principal
      const inhibition = judgeInhibition(input, ids.id())
      return asCaller(context, async (trx) => {
        if ((await listInhibitions(trx, tenantId, maxInhibitions)).length === maxInhibitions) {
          throw fault('BAD_USER_INPUT', `there are ${maxInhibitions} inhibitions, and may not be more`)
        }
        const created = await createInhibition(trx, tenantId, inhibition, clock.now())
        if (!created) throw nameTaken()
        return created
      })
    },
  }),
)

builder.mutationField('updateInhibition', (t) =>
  t.field({
    type: InhibitionType,
    description:
      'Writes an inhibition anew; what is left out is cleared. With another source or other keys, what was open is forgotten.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: InhibitionInput, required: true }) },
    resolve: async (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      const inhibition = judgeInhibition(input, id)
      const now = context.services.clock.now()
      const write = (trx: pg.PoolClient) => updateInhibition(trx, context.principal.tenantId, inhibition, now)
      const written = isUuid(id) ? await asCaller(context, write).catch(nameFault) : undefined
      if (!written) throw notFound()
      return written
    },
  }),
)

builder.mutationField('deleteInhibition', (t) =>
  t.field({
    type: 'Boolean',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const { tenantId } = context.principal
      if (!isUuid(id) || !(await asCaller(context, (trx) => deleteInhibition(trx, tenantId, id)))) throw notFound()
      return true
    },
  }),
)

builder.mutationField('closeAlert', (t) =>
  t.field({
    type: 'Boolean',
    description: 'Takes an open alert as over, which nobody resolved; false: it was not open.',
    args: {
      inhibitionId: t.arg.id({ required: true }),
      key: t.arg.string({ required: true }),
      alert: t.arg.string({ defaultValue: '' }),
    },
    resolve: async (_root, { inhibitionId, key, alert }, context) => {
      requireScope(context, 'manage')
      if (!isUuid(inhibitionId)) return false
      const { tenantId } = context.principal
      return asCaller(context, (trx) => closeAlert(trx, tenantId, inhibitionId, key, alert ?? ''))
    },
  }),
)

builder.queryField('inhibitions', (t) =>
  t.field({
    type: [InhibitionType],
    description: `By name; at most ${maxInhibitions}.`,
    resolve: (_root, _args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => listInhibitions(trx, context.principal.tenantId, maxInhibitions))
    },
  }),
)

builder.queryField('openAlerts', (t) =>
  t.field({
    type: [OpenAlertType],
    description: `What holds others back now, the oldest first; at most ${maxAlerts}.`,
    args: { inhibitionId: t.arg.id() },
    resolve: (_root, { inhibitionId }, context: ApiContext) => {
      requireScope(context, 'manage')
      if (inhibitionId != null && !isUuid(inhibitionId)) return []
      const now = context.services.clock.now()
      return asCaller(context, (trx) =>
        listOpenAlerts(trx, context.principal.tenantId, inhibitionId ?? undefined, now, maxAlerts),
      )
    },
  }),
)

const nameTaken = () => validationFault([{ path: ['input', 'name'], message: 'has an inhibition already' }])
const notFound = () => fault('NOT_FOUND', 'there is no such inhibition', { path: ['id'] })

function nameFault(error: unknown): never {
  throw (error as { code?: unknown }).code === '23505' ? nameTaken() : error
}
