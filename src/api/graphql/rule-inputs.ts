import { priorities } from '../../domain/priority.ts'
import { builder } from './builder.ts'
import { ChannelEnum, PriorityEnum } from './scalars.ts'

export const RuleFilters = builder.inputType('RuleFilters', {
  fields: (t) => ({
    name: t.string({ description: 'Part of it, whatever its case.' }),
    domain: t.string({ description: 'One that the rule names.' }),
    eventType: t.string({ description: 'One that the rule names, by a pattern too.' }),
    enabled: t.boolean(),
  }),
})

export const RuleInput = builder.inputType('RuleInput', {
  description: 'See docs/rules.md. CEL may name `event` and `now`; in template variables `recipient` too.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'One rule of a tenant has it.' }),
    description: t.string(),
    eventPattern: t.string({
      required: true,
      description: 'CEL, true or false; empty: every event of the types and domains.',
    }),
    domains: t.stringList(),
    eventTypes: t.stringList({ description: '`commerce.order.shipped`, or a beginning: `commerce.order.*`.' }),
    priority: t.field({ type: PriorityEnum, defaultValue: priorities.NORMAL }),
    category: t.string(),
    channels: t.field({ type: [ChannelEnum], required: true }),
    fallbackChannels: t.field({ type: [ChannelEnum] }),
    recipientSelector: t.field({
      type: 'JSON',
      required: true,
      description:
        '{ type: user|role|group|dynamic|inline, userIds, roles, groups, expression, addresses }: all that is named, each once.',
    }),
    schedule: t.field({
      type: 'JSON',
      description:
        '{ delay (seconds), localTime, timezone, sendWindow: { startTime, endTime, timezone, days }, cron or rrule (of digests) }',
    }),
    timezone: t.string({ description: 'Of the schedule, where it names none; default: the recipient’s.' }),
    batchWindow: t.int({ description: 'Seconds: what comes within them is one digest.' }),
    batchSize: t.int({ description: 'A digest with so many is closed at once.' }),
    batchSliding: t.boolean({ description: 'Every further event begins the window anew.' }),
    batchLongestWait: t.int({ description: 'Seconds, of a sliding window; default: ten times the window.' }),
    batchKey: t.string({ description: 'CEL: what keeps digests apart; default: the recipient alone.' }),
    digestTemplate: t.string({ description: 'Default: the rule’s template.' }),
    group: t.field({
      type: 'JSON',
      description: 'Alerts: { by: [CEL], wait, interval, repeat (seconds), resolved: CEL, alert: CEL }.',
    }),
    template: t.string({ description: 'The name of a template.' }),
    templateVars: t.field({ type: 'JSON', description: 'Values, or `{"cel": "…"}` for what an expression gives.' }),
    enabled: t.boolean({ defaultValue: true }),
    validFrom: t.field({ type: 'DateTime', description: 'It is asked of events accepted from then on.' }),
    validUntil: t.field({ type: 'DateTime', description: '… and before then.' }),
  }),
})
