import { notificationId } from '../../domain/ids.ts'
import {
  type DigestMemberRow,
  type DigestRow,
  findDigestMembers,
  pageDigests,
  requestClosing,
} from '../../store/digests.ts'
import { builder } from './builder.ts'
import { maxPageSize } from './connection.ts'
import { asCaller, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { isUuid } from './uuid.ts'

/** Of all digests that are listed together. */
const maxMembers = 5_000

interface DigestView extends DigestRow {
  members: DigestMemberRow[]
}

const DigestMember = builder.objectRef<DigestMemberRow>('DigestMember').implement({
  description: 'An event that waits in a digest.',
  fields: (t) => ({
    type: t.string({ resolve: ({ item }) => item.type }),
    data: t.field({ type: 'JSON', resolve: ({ item }) => item.data }),
    at: t.field({ type: 'DateTime', resolve: ({ item }) => new Date(item.at) }),
    resolved: t.exposeBoolean('resolved', { description: 'Of an alert in a group: it does not burn any more.' }),
    notificationIds: t.exposeIDList('notification_ids', {
      description: 'The notifications that stand for it; cancelling them takes it out.',
    }),
  }),
})

const Digest = builder.objectRef<DigestView>('Digest').implement({
  description:
    'Notifications of one recipient that go out as one: a digest, or a group of alerts. See docs/digests.md.',
  fields: (t) => ({
    id: t.exposeID('id'),
    recipientId: t.exposeString('recipient_id'),
    key: t.exposeString('key', {
      description: 'rule:<id> or category:<name>, with the value of the rule’s batch key.',
    }),
    kind: t.exposeString('kind', { description: 'digest or group' }),
    state: t.exposeString('state', { description: 'open; full: about to be closed; closed' }),
    openedAt: t.field({ type: 'DateTime', resolve: (digest) => digest.opened_at }),
    closesAt: t.field({
      type: 'DateTime',
      description: 'When it goes out; of a group, when it is looked at next.',
      resolve: (digest) => digest.closes_at,
    }),
    closedAt: t.field({ type: 'DateTime', nullable: true, resolve: (digest) => digest.closed_at }),
    closeReason: t.exposeString('close_reason', {
      nullable: true,
      description: 'window, schedule, size, requested, resolved (a group), or empty: then nothing was sent.',
    }),
    count: t.exposeInt('count', { description: 'How many events it has collected.' }),
    size: t.exposeInt('size', { description: 'With so many it is closed at once.' }),
    folded: t.exposeInt('folded', { nullable: true, description: 'How many events went out with it.' }),
    members: t.field({ type: [DigestMember], description: 'What waits in it.', resolve: ({ members }) => members }),
    notificationId: t.id({
      nullable: true,
      description: 'What it went out as; of a group, the last time.',
      resolve: ({ intent_id: id }) => (id === null ? null : notificationId(id, 1)),
    }),
  }),
})

builder.queryField('digests', (t) =>
  t.field({
    type: [Digest],
    description: `A recipient’s digests, the newest first; at most ${maxPageSize}.`,
    args: {
      recipientId: t.arg.string({ required: true }),
      waiting: t.arg.boolean({ description: 'Only those that wait, or that are closed.' }),
      before: t.arg.id({ description: 'The id of the last one of the page before.' }),
      limit: t.arg.int({ defaultValue: 20 }),
    },
    resolve: (_root, { recipientId, waiting, before, limit }, context): Promise<DigestView[]> => {
      requireScope(context, 'read')
      const size = limit ?? 20
      if (size < 1 || size > maxPageSize) {
        throw fault('BAD_USER_INPUT', `limit must be 1 to ${maxPageSize}`, { path: ['limit'] })
      }
      if (before != null && !isUuid(before)) throw fault('BAD_USER_INPUT', 'before is no id', { path: ['before'] })
      const page = { recipientId, waiting: waiting ?? undefined, before: before ?? undefined, limit: size }
      const { tenantId } = context.principal
      return asCaller(context, async (trx) => {
        const digests = await pageDigests(trx, tenantId, page)
        const waitingIds = digests.filter(({ state }) => state !== 'closed').map(({ id }) => id)
        const members = waitingIds.length === 0 ? [] : await findDigestMembers(trx, tenantId, waitingIds, maxMembers)
        const byDigest = Map.groupBy(members, ({ digest_id: id }) => id)
        return digests.map((digest) => ({ ...digest, members: byDigest.get(digest.id) ?? [] }))
      })
    },
  }),
)

builder.mutationField('closeDigest', (t) =>
  t.field({
    type: Digest,
    description: 'Sends a digest within moments, without waiting any longer; a group of alerts is told of, and ends.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context): Promise<DigestView> => {
      requireScope(context, 'send')
      const { tenantId } = context.principal
      const now = context.services.clock.now()
      const found = isUuid(id)
        ? await asCaller(context, async (trx) => {
            const digest = await requestClosing(trx, tenantId, id, now)
            return digest && { ...digest, members: await findDigestMembers(trx, tenantId, [digest.id], maxMembers) }
          })
        : undefined
      if (!found) throw fault('NOT_FOUND', 'there is no such digest that waits', { path: ['id'] })
      return found
    },
  }),
)
