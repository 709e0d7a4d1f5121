import type { TemplateRow } from '../../store/templates.ts'
import { builder } from './builder.ts'

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
