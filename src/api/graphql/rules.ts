import type pg from 'pg'
import { type NewRule, validateRule } from '../../pipeline/accept/validate-rule.ts'
import { findRuleHistory, pageRules } from '../../store/rule-pages.ts'
import {
  countRules,
  definitionOf,
  deleteRules,
  findRules,
  lockSomeRules,
  type RuleRow,
  saveRules,
} from '../../store/rules.ts'
import { builder } from './builder.ts'
import { type Connection, PageInfo, PaginationInput, pageWindow, toConnection } from './connection.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { decodeIdCursor, encodeIdCursor } from './cursors.ts'
import { fault, validationFault } from './errors.ts'
import { RuleFilters, RuleInput } from './rule-inputs.ts'
import { NotificationRule, type RuleView, viewOfRule, viewOfVersion } from './rule-type.ts'
import { isUuid } from './uuid.ts'

/** Each is asked of every event that its types and domains let through. */
const maxRules = 10_000
const maxVersions = 100

const RuleEdge = builder.objectRef<Connection<RuleView>['edges'][number]>('RuleEdge').implement({
  fields: (t) => ({
    node: t.field({ type: NotificationRule, resolve: (edge) => edge.node }),
    cursor: t.exposeString('cursor'),
  }),
})

const RuleConnection = builder.objectRef<Connection<RuleView>>('RuleConnection').implement({
  fields: (t) => ({
    edges: t.field({ type: [RuleEdge], resolve: (connection) => connection.edges }),
    nodes: t.field({ type: [NotificationRule], resolve: (connection) => connection.nodes }),
    pageInfo: t.field({ type: PageInfo, resolve: (connection) => connection.pageInfo }),
  }),
})

builder.queryField('notificationRule', (t) =>
  t.field({
    type: NotificationRule,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      if (!isUuid(id)) return null
      const [row] = await asCaller(context, (trx) => findRules(trx, context.principal.tenantId, [id]))
      return row ? viewOfRule(row) : null
    },
  }),
)

builder.queryField('notificationRules', (t) =>
  t.field({
    type: RuleConnection,
    description: 'The newest first.',
    args: { filters: t.arg({ type: RuleFilters }), pagination: t.arg({ type: PaginationInput }) },
    resolve: async (_root, { filters, pagination }, context) => {
      requireScope(context, 'manage')
      const window = pageWindow(pagination, decodeIdCursor)
      const rows = await asCaller(context, (trx) =>
        pageRules(trx, context.principal.tenantId, {
          name: filters?.name ?? undefined,
          domain: filters?.domain ?? undefined,
          eventType: filters?.eventType ?? undefined,
          enabled: filters?.enabled ?? undefined,
          below: window.olderThan,
          above: window.newerThan,
          newestFirst: window.newestFirst,
          limit: window.size + 1,
        }),
      )
      return toConnection(rows.map(viewOfRule), window, ({ rule }) => encodeIdCursor(rule.id))
    },
  }),
)

builder.queryField('notificationRuleVersions', (t) =>
  t.field({
    type: [NotificationRule],
    description: `What a rule has said, the newest first, at most ${maxVersions}; a deleted one is remembered too.`,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      if (!isUuid(id)) return []
      const { tenantId } = context.principal
      const rows = await asCaller(context, (trx) => findRuleHistory(trx, tenantId, id, maxVersions))
      return rows.map(viewOfVersion)
    },
  }),
)

builder.mutationField('createNotificationRule', (t) =>
  t.field({
    type: NotificationRule,
    args: { input: t.arg({ type: RuleInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const rule = judge(input)
      return saving(context, async (trx, tenantId) => {
        if ((await countRules(trx, tenantId)) >= maxRules) {
          throw validationFault([{ path: ['input'], message: `is one rule too many: there are ${maxRules}` }])
        }
        return save(trx, tenantId, context.services.ids.id(), rule, context)
      })
    },
  }),
)

builder.mutationField('updateNotificationRule', (t) =>
  t.field({
    type: NotificationRule,
    description: 'The rule as it shall be: what is left out is cleared, or has its default. Each change is a version.',
    args: { id: t.arg.id({ required: true }), input: t.arg({ type: RuleInput, required: true }) },
    resolve: (_root, { id, input }, context) => {
      requireScope(context, 'manage')
      const rule = judge(input)
      return saving(context, async (trx, tenantId) => {
        const [before] = isUuid(id) ? await lockSomeRules(trx, tenantId, [id]) : []
        if (!before) throw notFound()
        return (await save(trx, tenantId, before.id, rule, context)) ?? before
      })
    },
  }),
)

builder.mutationField('deleteNotificationRule', (t) =>
  t.field({
    type: 'Boolean',
    description: 'What it has said is remembered, so that what it has decided can be told.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context) => {
      requireScope(context, 'manage')
      const now = context.services.clock.now()
      const gone = isUuid(id)
        ? await asCaller(context, (trx) => deleteRules(trx, context.principal.tenantId, [id], now))
        : []
      if (gone.length === 0) throw notFound()
      return true
    },
  }),
)

function judge(input: unknown): NewRule {
  const judged = validateRule(input, ['input'])
  if (!judged.ok) throw validationFault(judged.faults)
  return judged.rule
}

/** undefined: it is so already. */
async function save(
  trx: pg.PoolClient,
  tenantId: string,
  id: string,
  rule: NewRule,
  { principal, services }: ApiContext,
): Promise<RuleRow | undefined> {
  const { name, enabled } = rule
  const toSave = { id, name, enabled, definition: definitionOf(rule) }
  return (await saveRules(trx, tenantId, [toSave], `api-key:${principal.keyId}`, services.clock.now()))[0]
}

async function saving(
  context: ApiContext,
  work: (trx: pg.PoolClient, tenantId: string) => Promise<RuleRow | undefined>,
): Promise<RuleView> {
  try {
    const row = await asCaller(context, (trx) => work(trx, context.principal.tenantId))
    return viewOfRule(row!)
  } catch (error) {
    if ((error as { code?: unknown }).code !== '23505') throw error
    throw validationFault([{ path: ['input', 'name'], message: 'is the name of another rule' }])
  }
}

const notFound = () => fault('NOT_FOUND', 'there is no such rule', { path: ['id'] })
