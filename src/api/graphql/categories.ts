import type { DigestPolicy } from '../../domain/digest.ts'
import { frequencies } from '../../domain/preferences.ts'
import type { SendWindow } from '../../domain/schedule.ts'
import {
  type CategoryRow,
  countOtherCategories,
  deleteCategory,
  findCategory,
  listCategories,
  upsertCategory,
} from '../../store/categories.ts'
import { builder } from './builder.ts'
import { validateCategory } from './category-rules.ts'
import { asCaller, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { ChannelEnum, PriorityEnum } from './scalars.ts'

const maxCategories = 500

const Frequency = builder.enumType('Frequency', {
  description: 'DIGEST: by the digest of the category. HOURLY, DAILY, WEEKLY: at the full hour, at 9, on Mondays at 9.',
  values: Object.fromEntries(frequencies.map((value) => [value.toUpperCase(), { value }])) as Record<
    Uppercase<(typeof frequencies)[number]>,
    { value: (typeof frequencies)[number] }
  >,
})

const CategoryExcess = builder.enumType('CategoryExcess', {
  description: 'What becomes of what a limit does not let through: it waits, or it is dropped.',
  values: { SNOOZE: { value: 'snooze' }, SUPPRESS: { value: 'suppress' } } as const,
})

const CategoryDigest = builder.objectRef<DigestPolicy>('CategoryDigest').implement({
  fields: (t) => ({
    window: t.int({ nullable: true, description: 'Seconds.', resolve: ({ windowMs }) => windowMs && windowMs / 1_000 }),
    sliding: t.boolean({ resolve: ({ sliding }) => sliding ?? false }),
    longest: t.int({
      nullable: true,
      description: 'Seconds.',
      resolve: ({ longestMs }) => longestMs && longestMs / 1_000,
    }),
    size: t.exposeInt('size', { nullable: true }),
    cron: t.string({ nullable: true, resolve: ({ recurrence }) => recurrence?.cron }),
    rrule: t.string({ nullable: true, resolve: ({ recurrence }) => recurrence?.rrule }),
    timezone: t.string({ nullable: true, resolve: ({ recurrence }) => recurrence?.timezone }),
    template: t.exposeString('template', { nullable: true }),
  }),
})

const CategoryWindow = builder.objectRef<SendWindow>('CategorySendWindow').implement({
  fields: (t) => ({
    startTime: t.exposeString('startTime'),
    endTime: t.exposeString('endTime'),
    timezone: t.exposeString('timezone', { nullable: true }),
    days: t.field({ type: ['Int'], nullable: true, resolve: ({ days }) => days && [...days] }),
  }),
})

const CategoryType = builder.objectRef<CategoryRow>('Category').implement({
  description: 'A kind of message: who may refuse it, who must have agreed to it, and how it is sent.',
  fields: (t) => ({
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    required: t.exposeBoolean('required'),
    marketing: t.exposeBoolean('marketing'),
    enabled: t.exposeBoolean('enabled'),
    channels: t.field({ type: [ChannelEnum], nullable: true, resolve: (category) => category.channels }),
    minPriority: t.field({ type: PriorityEnum, nullable: true, resolve: (category) => category.min_priority }),
    frequency: t.field({ type: Frequency, resolve: (category) => category.frequency }),
    digest: t.field({ type: CategoryDigest, nullable: true, resolve: (category) => category.digest }),
    sendWindow: t.field({ type: CategoryWindow, nullable: true, resolve: (category) => category.send_window }),
    onExcess: t.field({ type: CategoryExcess, resolve: (category) => category.on_excess }),
    createdAt: t.field({ type: 'DateTime', resolve: (category) => category.created_at }),
    updatedAt: t.field({ type: 'DateTime', resolve: (category) => category.updated_at }),
  }),
})

const CategoryDigestInput = builder.inputType('CategoryDigestInput', {
  description: 'When a digest is closed: a window after its first message, or at the moments of cron or rrule.',
  fields: (t) => ({
    window: t.int({ description: 'Seconds from the first message.' }),
    sliding: t.boolean({ description: 'Each message begins the window anew.' }),
    longest: t.int({ description: 'Seconds; how long a sliding window waits at most.' }),
    size: t.int({ description: 'Closed at once with so many messages.' }),
    cron: t.string({ description: 'Five fields, in `timezone` or the recipient’s.' }),
    rrule: t.string({ description: 'RFC 5545, in `timezone` or the recipient’s.' }),
    timezone: t.string({ description: 'IANA' }),
    template: t.string({ description: 'Of the digest. Absent: that of its newest message.' }),
  }),
})

const CategoryWindowInput = builder.inputType('CategorySendWindowInput', {
  description: 'Nothing leaves outside of it; it goes over midnight where it ends before it begins.',
  fields: (t) => ({
    startTime: t.string({ required: true, description: 'HH:MM' }),
    endTime: t.string({ required: true, description: 'HH:MM' }),
    timezone: t.string({ description: 'IANA. Absent: the recipient’s.' }),
    days: t.intList({ description: 'On which it begins: 1 Monday … 7 Sunday. Absent: every day.' }),
  }),
})

const CategoryInput = builder.inputType('CategoryInput', {
  description: 'A category as it shall be, whatever was there before.',
  fields: (t) => ({
    name: t.string({ required: true }),
    description: t.string(),
    required: t.boolean({ description: 'Nobody can switch it off. Default: false.' }),
    marketing: t.boolean({ description: 'Sent to those alone who have opted in. Default: false.' }),
    enabled: t.boolean({ description: 'For people who said nothing. Default: true.' }),
    channels: t.field({ type: [ChannelEnum], description: 'The only ones it uses. Absent: all of them.' }),
    minPriority: t.field({ type: PriorityEnum, description: 'Nothing below it.' }),
    frequency: t.field({ type: Frequency, description: 'For people who said nothing. Default: INSTANT.' }),
    digest: t.field({ type: CategoryDigestInput }),
    sendWindow: t.field({ type: CategoryWindowInput }),
    onExcess: t.field({ type: CategoryExcess, description: 'Default: SUPPRESS for marketing, else SNOOZE.' }),
  }),
})

builder.mutationField('upsertCategory', (t) =>
  t.field({
    type: CategoryType,
    args: { input: t.arg({ type: CategoryInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const category = validateCategory(input)
      const { tenantId } = context.principal
      return asCaller(context, async (trx) => {
        if ((await countOtherCategories(trx, tenantId, category.name)) >= maxCategories) {
          throw fault('BAD_USER_INPUT', `there may be at most ${maxCategories} categories`, { path: ['input', 'name'] })
        }
        return upsertCategory(trx, tenantId, category, context.services.clock.now())
      })
    },
  }),
)

builder.mutationField('deleteCategory', (t) =>
  t.boolean({
    description: 'What people said of it is kept, and holds again should it come back. False: there was none.',
    args: { name: t.arg.string({ required: true }) },
    resolve: (_root, { name }, context) => {
      requireScope(context, 'manage')
      return asCaller(context, (trx) => deleteCategory(trx, context.principal.tenantId, name))
    },
  }),
)

builder.queryField('categories', (t) =>
  t.field({
    type: [CategoryType],
    description: 'All of them, by name.',
    resolve: (_root, _args, context) => {
      requireScope(context, 'read')
      return asCaller(context, (trx) => listCategories(trx, context.principal.tenantId))
    },
  }),
)

builder.queryField('category', (t) =>
  t.field({
    type: CategoryType,
    nullable: true,
    args: { name: t.arg.string({ required: true }) },
    resolve: (_root, { name }, context) => {
      requireScope(context, 'read')
      return asCaller(context, (trx) => findCategory(trx, context.principal.tenantId, name))
    },
  }),
)
