import type pg from 'pg'
import type { QuietHours } from '../../domain/preferences.ts'
import { changePreferences, defaultsOf, type PreferencesView, viewPreferences } from '../../store/preferences.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { judgeChangedBy, judgeZones, patchOf, refusalOfPreferences, requireUserId } from './preference-rules.ts'
import { presentPreferences } from './present-preferences.ts'
import { PriorityEnum } from './scalars.ts'

type Shown = PreferencesView & { userId: string }

/** As it holds, with the zone that it is read in. */
const QuietHoursType = builder.objectRef<QuietHours & { timezone: string }>('QuietHours').implement({
  description: 'When nothing disturbs: HH:MM of the wall clock, over midnight where it ends before it begins.',
  fields: (t) => ({
    enabled: t.exposeBoolean('enabled'),
    startTime: t.exposeString('startTime'),
    endTime: t.exposeString('endTime'),
    timezone: t.exposeString('timezone'),
    days: t.field({ type: ['Int'], nullable: true, resolve: ({ days }) => days && [...days] }),
    allowCritical: t.exposeBoolean('allowCritical'),
  }),
})

const presented = ({ holds }: Shown) => presentPreferences(holds)
const zoneOf = ({ timezone, holds }: Shown) => timezone ?? (holds.timezone as string | undefined) ?? 'UTC'

const UserPreferences = builder.objectRef<Shown>('UserPreferences').implement({
  description: 'What holds for a user: what they said, and the defaults of the tenant where they said nothing.',
  fields: (t) => ({
    userId: t.exposeID('userId', { description: 'Empty: the defaults.' }),
    enabled: t.boolean({ resolve: (shown) => shown.holds.enabled !== false }),
    timezone: t.string({ resolve: zoneOf }),
    locale: t.string({ resolve: ({ locale, holds }) => locale ?? (holds.locale as string | undefined) ?? 'en' }),
    channels: t.field({
      type: 'JSON',
      description: '`{ email: { enabled, address }, … }`',
      resolve: (shown) => presented(shown).channels ?? {},
    }),
    quietHours: t.field({
      type: QuietHoursType,
      nullable: true,
      resolve: (shown) => {
        const hours = shown.holds.quietHours as QuietHours | undefined
        return hours && { ...hours, timezone: hours.timezone ?? zoneOf(shown) }
      },
    }),
    categories: t.field({
      type: 'JSON',
      description: '`{ news: { enabled, channels, minPriority, frequency }, … }`',
      resolve: (shown) => presented(shown).categories ?? {},
    }),
    eventTypes: t.field({
      type: 'JSON',
      description: '`{ "commerce.order.shipped": { enabled, channels }, … }`',
      resolve: (shown) => presented(shown).eventTypes ?? {},
    }),
    minPriority: t.field({
      type: PriorityEnum,
      nullable: true,
      resolve: (shown) => shown.holds.minPriority as number | undefined,
    }),
    pausedUntil: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: (shown) => shown.holds.pausedUntil as string | undefined,
    }),
    own: t.field({
      type: 'JSON',
      description: 'What they themselves said, without the defaults.',
      resolve: (shown) => presentPreferences(shown.own),
    }),
    version: t.exposeInt('version', { description: '0: nothing was said yet.' }),
    updatedAt: t.field({ type: 'DateTime', resolve: (shown) => shown.updated_at }),
    updatedBy: t.exposeString('updated_by', { nullable: true }),
  }),
})

const QuietHoursInput = builder.inputType('QuietHoursInput', {
  fields: (t) => ({
    enabled: t.boolean({ required: true }),
    startTime: t.string({ required: true, description: 'HH:MM' }),
    endTime: t.string({ required: true, description: 'HH:MM; before startTime: of the next day.' }),
    timezone: t.string({ description: 'IANA. Absent: the recipient’s.' }),
    days: t.intList({ description: 'On which it begins: 1 Monday … 7 Sunday. Absent: every day.' }),
    allowCritical: t.boolean({ defaultValue: true }),
  }),
})

const mapHelp = 'merged with what was said before; null takes an entry away.'

const PreferencesInput = builder.inputType('PreferencesInput', {
  description: 'What shall change: what is left out stays, null takes away, so that the defaults hold.',
  fields: (t) => ({
    enabled: t.boolean({ description: 'false: nothing but the categories that are required.' }),
    timezone: t.string({ description: 'IANA; the recipient’s own from now on.' }),
    locale: t.string({ description: 'BCP 47; the recipient’s own from now on.' }),
    channels: t.field({ type: 'JSON', description: `\`{ email: { enabled, address }, … }\`, ${mapHelp}` }),
    quietHours: t.field({ type: QuietHoursInput, description: 'As a whole.' }),
    categories: t.field({
      type: 'JSON',
      description: `\`{ news: { enabled, channels, minPriority, frequency: instant | digest | hourly | daily | weekly }, … }\`, ${mapHelp}`,
    }),
    eventTypes: t.field({
      type: 'JSON',
      description: `\`{ "commerce.order.shipped": { enabled, channels }, … }\`, ${mapHelp}`,
    }),
    minPriority: t.field({ type: PriorityEnum, description: 'Nothing below it.' }),
    pausedUntil: t.field({ type: 'DateTime', description: 'Nothing until then but what is required.' }),
  }),
})

type Input = typeof PreferencesInput.$inferInput

const changedByHelp = 'Who changed it, for the history. Absent: the API key.'

builder.mutationField('updateUserPreferences', (t) =>
  t.field({
    type: UserPreferences,
    description:
      'What waits for the user is decided anew; what was planned, and has just been refused, is not sent any more.',
    args: {
      userId: t.arg.id({ required: true }),
      input: t.arg({ type: PreferencesInput, required: true }),
      changedBy: t.arg.string({ description: changedByHelp }),
    },
    resolve: (_root, { userId, input, changedBy }, context) => {
      requireScope(context, 'manage')
      return update(context, requireUserId(userId), input, changedBy)
    },
  }),
)

builder.mutationField('updatePreferenceDefaults', (t) =>
  t.field({
    type: UserPreferences,
    description: 'Changes what holds for all who have not said otherwise. What waits in the tenant is decided anew.',
    args: {
      input: t.arg({ type: PreferencesInput, required: true }),
      changedBy: t.arg.string({ description: changedByHelp }),
    },
    resolve: (_root, { input, changedBy }, context) => {
      requireScope(context, 'manage')
      return update(context, defaultsOf, input, changedBy)
    },
  }),
)

builder.queryField('userNotificationPreferences', (t) =>
  t.field({
    type: UserPreferences,
    args: { userId: t.arg.id({ required: true }) },
    resolve: (_root, { userId }, context) => {
      requireScope(context, 'read')
      const recipientId = requireUserId(userId)
      return asCaller(context, (trx) => show(trx, context.principal.tenantId, recipientId))
    },
  }),
)

builder.queryField('preferenceDefaults', (t) =>
  t.field({
    type: UserPreferences,
    description: 'What holds for all who have not said otherwise.',
    resolve: (_root, _args, context) => {
      requireScope(context, 'read')
      return asCaller(context, (trx) => show(trx, context.principal.tenantId, defaultsOf))
    },
  }),
)

async function show(trx: pg.PoolClient, tenantId: string, recipientId: string): Promise<Shown> {
  return { ...(await viewPreferences(trx, tenantId, recipientId)), userId: recipientId }
}

async function update(
  context: ApiContext,
  recipientId: string,
  input: Input,
  changedBy: string | null | undefined,
): Promise<Shown> {
  judgeZones(input)
  const { tenantId, keyId } = context.principal
  const by = judgeChangedBy(changedBy) ?? `key ${keyId}`
  return asCaller(context, async (trx) => {
    await changePreferences(
      trx,
      tenantId,
      { recipientId, patch: patchOf(input), by },
      context.services.clock.now(),
    ).catch((error: unknown) => {
      throw refusalOfPreferences(error) ?? error
    })
    return show(trx, tenantId, recipientId)
  })
}
