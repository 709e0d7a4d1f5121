import { defaultsOf, listPreferenceVersions, type PreferenceVersionRow } from '../../store/preferences.ts'
import { builder } from './builder.ts'
import { maxPageSize } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { requireUserId } from './preference-rules.ts'
import { presentPreferences } from './present-preferences.ts'

const PreferenceVersion = builder.objectRef<PreferenceVersionRow>('PreferenceVersion').implement({
  description: 'What somebody had said at a time.',
  fields: (t) => ({
    version: t.exposeInt('version'),
    preferences: t.field({ type: 'JSON', resolve: (version) => presentPreferences(version.document) }),
    validFrom: t.field({ type: 'DateTime', resolve: (version) => version.valid_from }),
    validTo: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'null: it holds.',
      resolve: (version) => version.valid_to,
    }),
    changedBy: t.exposeString('changed_by'),
  }),
})

builder.queryField('preferenceHistory', (t) =>
  t.field({
    type: [PreferenceVersion],
    description: 'Every change of what a user has said, the newest first.',
    args: {
      userId: t.arg.id({ description: 'Absent: the defaults.' }),
      first: t.arg.int({ defaultValue: 20, description: `At most ${maxPageSize}.` }),
      before: t.arg.int({ description: 'Only versions before this one.' }),
    },
    resolve: (_root, { userId, first, before }, context) => {
      requireScope(context, 'read')
      const size = first ?? 20
      if (size < 1 || size > maxPageSize) {
        throw fault('BAD_USER_INPUT', `first must be 1 to ${maxPageSize}`, { path: ['first'] })
      }
      const recipientId = userId == null ? defaultsOf : requireUserId(userId)
      return asCaller(context, (trx) =>
        listPreferenceVersions(trx, context.principal.tenantId, recipientId, before ?? undefined, size),
      )
    },
  }),
)
