import type { Rule } from '../../domain/rule.ts'
import { selectorJson } from '../../pipeline/accept/rule-selector.ts'
import { groupJson, scheduleJson } from '../../pipeline/accept/rule-timing.ts'
import type { RuleFaultRow } from '../../store/rule-pages.ts'
import { type RuleRow, type RuleVersionRow, ruleOf } from '../../store/rules.ts'
import { builder } from './builder.ts'
import { ChannelEnum, PriorityEnum } from './scalars.ts'
import { NotificationTemplate } from './template-type.ts'

/** A rule as it stands, or as it stood in one of its versions. */
export interface RuleView {
  rule: Rule
  since: Date
  changedAt: Date
  changedBy: string
  disabledReason: string | null
}

export const viewOfRule = (row: RuleRow): RuleView => ({
  rule: ruleOf(row),
  since: row.created_at,
  changedAt: row.updated_at,
  changedBy: row.updated_by,
  disabledReason: row.disabled_reason,
})

export const viewOfVersion = (row: RuleVersionRow): RuleView => ({
  rule: ruleOf(row),
  since: row.valid_from,
  changedAt: row.valid_from,
  changedBy: row.changed_by,
  disabledReason: row.enabled ? null : row.changed_by === 'carillon' ? 'failing' : 'switched_off',
})

const RuleFaults = builder.objectRef<RuleFaultRow>('RuleFaults').implement({
  description:
    'How the expressions of a rule failed since it was last changed. An event on which one does leaves the rule out.',
  fields: (t) => ({
    streak: t.exposeInt('streak', { description: 'In a row; the rule is switched off at RULE_ERROR_STREAK.' }),
    total: t.float({ resolve: (faults) => Number(faults.total) }),
    lastAt: t.field({ type: 'DateTime', resolve: (faults) => faults.last_at }),
    code: t.exposeString('last_code', { description: 'Of the last one: a short word of a closed set.' }),
    part: t.exposeString('last_part', {
      description: 'Which expression: eventPattern, batchKey, templateVars.total …',
    }),
    message: t.exposeString('last_message'),
    intentId: t.exposeID('last_intent_id', { description: 'The event on which it failed.' }),
  }),
})

const seconds = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms / 1_000))

export const NotificationRule = builder.objectRef<RuleView>('NotificationRule').implement({
  description: 'When an event of such a kind comes in, whom to notify, and how.',
  fields: (t) => ({
    id: t.id({ resolve: ({ rule }) => rule.id }),
    name: t.string({ resolve: ({ rule }) => rule.name }),
    version: t.int({ description: 'Rises with every change.', resolve: ({ rule }) => rule.version }),
    description: t.string({ nullable: true, resolve: ({ rule }) => rule.description ?? null }),
    eventPattern: t.string({ description: 'CEL', resolve: ({ rule }) => rule.eventPattern }),
    domains: t.stringList({ nullable: true, resolve: ({ rule }) => listOf(rule.domains) }),
    eventTypes: t.stringList({ nullable: true, resolve: ({ rule }) => listOf(rule.eventTypes) }),
    priority: t.field({ type: PriorityEnum, resolve: ({ rule }) => rule.priority }),
    category: t.string({ nullable: true, resolve: ({ rule }) => rule.category ?? null }),
    channels: t.field({ type: [ChannelEnum], resolve: ({ rule }) => [...rule.channels] }),
    fallbackChannels: t.field({
      type: [ChannelEnum],
      nullable: true,
      resolve: ({ rule }) => listOf(rule.fallbackChannels),
    }),
    recipientSelector: t.field({ type: 'JSON', resolve: ({ rule }) => selectorJson(rule.selector) }),
    schedule: t.field({ type: 'JSON', nullable: true, resolve: ({ rule }) => scheduleJson(rule) }),
    batchWindow: t.int({
      nullable: true,
      description: 'Seconds',
      resolve: ({ rule }) => seconds(rule.digest?.windowMs),
    }),
    batchSize: t.int({ nullable: true, resolve: ({ rule }) => rule.digest?.size ?? null }),
    batchSliding: t.boolean({ resolve: ({ rule }) => rule.digest?.sliding ?? false }),
    batchLongestWait: t.int({
      nullable: true,
      description: 'Seconds',
      resolve: ({ rule }) => seconds(rule.digest?.longestMs),
    }),
    batchKey: t.string({ nullable: true, description: 'CEL', resolve: ({ rule }) => rule.batchKey ?? null }),
    digestTemplate: t.string({ nullable: true, resolve: ({ rule }) => rule.digest?.template ?? null }),
    group: t.field({ type: 'JSON', nullable: true, resolve: ({ rule }) => groupJson(rule.group) }),
    template: t.field({
      type: NotificationTemplate,
      nullable: true,
      resolve: ({ rule }, _args, { load }) => (rule.template === undefined ? null : load.template(rule.template)),
    }),
    templateName: t.string({
      nullable: true,
      description: 'What the rule says, whether there is such a template or not.',
      resolve: ({ rule }) => rule.template ?? null,
    }),
    templateVars: t.field({ type: 'JSON', nullable: true, resolve: ({ rule }) => rule.templateVars ?? null }),
    enabled: t.boolean({ resolve: ({ rule }) => rule.enabled }),
    disabledReason: t.exposeString('disabledReason', {
      nullable: true,
      description: 'switched_off (by you) or failing (its expressions did, again and again)',
    }),
    faults: t.field({
      type: RuleFaults,
      nullable: true,
      resolve: ({ rule }, _args, { load }) => load.ruleFaults(rule.id),
    }),
    validFrom: t.field({
      type: 'DateTime',
      description: 'Where the rule names none, when it was made.',
      resolve: ({ rule, since }) => rule.validFrom ?? since,
    }),
    validUntil: t.field({ type: 'DateTime', nullable: true, resolve: ({ rule }) => rule.validUntil ?? null }),
    updatedAt: t.field({ type: 'DateTime', resolve: ({ changedAt }) => changedAt }),
    updatedBy: t.exposeString('changedBy', { description: 'api-key:<id>, cli, or carillon itself.' }),
  }),
})

const listOf = <T>(list: readonly T[] | undefined): T[] | null => (list ? [...list] : null)
