import type { NewIntent } from '../../domain/intent.ts'
import { builder } from './builder.ts'
import type { ApiContext } from './context.ts'
import { Notification } from './notification-type.ts'
import { type NotificationView, viewsOfNewIntent } from './notification-view.ts'

interface SendFault {
  code: string
  message: string
  path: string[] | null
}

export type SendAnswer =
  | { status: 'accepted' | 'duplicate'; intentId: string; intent: NewIntent; answeredAt: Date }
  | { status: 'rejected'; error: SendFault }

const SendStatus = builder.enumType('SendStatus', {
  values: {
    ACCEPTED: { value: 'accepted' },
    DUPLICATE: { value: 'duplicate' },
    REJECTED: { value: 'rejected' },
  } as const,
})

const SendError = builder.objectRef<SendFault>('SendError').implement({
  fields: (t) => ({
    code: t.exposeString('code'),
    message: t.exposeString('message'),
    path: t.exposeStringList('path', { nullable: true }),
  }),
})

export const SendResult = builder.objectRef<SendAnswer>('SendResult').implement({
  description: 'Answered after the commit. A duplicate names what the first request was answered.',
  fields: (t) => ({
    intentId: t.id({ nullable: true, resolve: (answer) => (answer.status === 'rejected' ? null : answer.intentId) }),
    status: t.field({ type: SendStatus, resolve: (answer) => answer.status }),
    notifications: t.field({
      type: [Notification],
      description: "One per recipient named, PENDING at first; a role's or group's further members follow.",
      resolve: (answer, _args, context) => notificationsOf(answer, context),
    }),
    error: t.field({
      type: SendError,
      nullable: true,
      resolve: (answer) => (answer.status === 'rejected' ? answer.error : null),
    }),
  }),
})

function notificationsOf(answer: SendAnswer, context: ApiContext): NotificationView[] | Promise<NotificationView[]> {
  if (answer.status === 'rejected') return []
  const views = viewsOfNewIntent(answer.intent, answer.intentId, answer.answeredAt)
  return answer.status === 'accepted' ? views : asTheyAreNow(views, context)
}

/** Of a duplicate: the same content, so the same recipients; but they may have got theirs long ago. */
async function asTheyAreNow(views: readonly NotificationView[], context: ApiContext): Promise<NotificationView[]> {
  const found = await Promise.all(views.map(({ id }) => context.load.notification(id)))
  return found.flatMap((view) => view ?? [])
}
