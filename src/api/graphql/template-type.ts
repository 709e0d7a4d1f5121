import type { Channel } from '../../domain/channel.ts'
import type { TemplateRow } from '../../store/templates.ts'
import { builder } from './builder.ts'
import { ChannelEnum, PriorityEnum } from './scalars.ts'

export const NotificationTemplate = builder.objectRef<TemplateRow>('NotificationTemplate').implement({
  description: 'Named content for each channel.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    channels: t.field({ type: 'JSON', resolve: (template) => template.channels }),
    translations: t.field({ type: 'JSON', nullable: true, resolve: (template) => template.translations }),
    version: t.exposeString('version'),
    enabled: t.exposeBoolean('enabled'),
    createdAt: t.field({ type: 'DateTime', resolve: (template) => template.created_at }),
    updatedAt: t.field({ type: 'DateTime', resolve: (template) => template.updated_at }),
  }),
})

/** What the schema says of a rule. There is no table of rules yet, so nothing makes one. */
interface RuleView {
  id: string
  name: string
  description: string | null
  eventPattern: string
  domains: string[] | null
  eventTypes: string[] | null
  priority: number
  channels: Channel[]
  fallbackChannels: Channel[] | null
  recipientSelector: unknown
  schedule: unknown
  batchWindow: number | null
  batchSize: number | null
  template: TemplateRow | null
  templateVars: unknown
  enabled: boolean
  validFrom: Date
  validUntil: Date | null
}

export const NotificationRule = builder.objectRef<RuleView>('NotificationRule').implement({
  description: 'When an event of such a kind comes in, whom to notify, and how.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    eventPattern: t.exposeString('eventPattern', { description: 'CEL' }),
    domains: t.exposeStringList('domains', { nullable: true }),
    eventTypes: t.exposeStringList('eventTypes', { nullable: true }),
    priority: t.field({ type: PriorityEnum, resolve: (rule) => rule.priority }),
    channels: t.field({ type: [ChannelEnum], resolve: (rule) => rule.channels }),
    fallbackChannels: t.field({ type: [ChannelEnum], nullable: true, resolve: (rule) => rule.fallbackChannels }),
    recipientSelector: t.field({ type: 'JSON', resolve: (rule) => rule.recipientSelector }),
    schedule: t.field({ type: 'JSON', nullable: true, resolve: (rule) => rule.schedule }),
    batchWindow: t.exposeInt('batchWindow', { nullable: true, description: 'Seconds' }),
    batchSize: t.exposeInt('batchSize', { nullable: true }),
    template: t.field({ type: NotificationTemplate, nullable: true, resolve: (rule) => rule.template }),
    templateVars: t.field({ type: 'JSON', nullable: true, resolve: (rule) => rule.templateVars }),
    enabled: t.exposeBoolean('enabled'),
    validFrom: t.field({ type: 'DateTime', resolve: (rule) => rule.validFrom }),
    validUntil: t.field({ type: 'DateTime', nullable: true, resolve: (rule) => rule.validUntil }),
  }),
})
