import { notificationId } from '../../domain/ids.ts'
import type { SendCaller } from '../../pipeline/accept/validate-send.ts'
import { builder } from './builder.ts'
import { type ApiContext, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Notification } from './notification-type.ts'
import { type NotificationView, viewsOfNewIntent } from './notification-view.ts'
import { EventInput, SendNotificationInput } from './send-inputs.ts'
import { type SendAnswer, SendResult } from './send-result-type.ts'
import { answersOf, judgeAll, maxInputs, notificationOf, type Sending, sendings, validOnes } from './sending.ts'

/*
 * The usual form of these, one mutation with one variable, is answered by send-shortly.ts with the same pieces; nothing
 * is said there that is not said here.
 */

export const sendCallerOf = ({
  principal,
  traceparent,
}: Pick<ApiContext, 'principal' | 'traceparent'>): SendCaller => ({
  tenantId: principal.tenantId,
  traceparent,
})

builder.mutationField('sendNotification', (t) =>
  t.field({
    type: Notification,
    description: 'Accepts one notification for one recipient, and answers after the commit.',
    args: { input: t.arg({ type: SendNotificationInput, required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'send')
      return sendOne(args.input, context)
    },
  }),
)

/** No read goes before the accept, and the answer is told from what was validated. */
async function sendOne(input: unknown, context: ApiContext): Promise<NotificationView> {
  const { accept, clock } = context.services
  const [validated] = judgeAll(sendings.sendNotification, [input], sendCallerOf(context), clock.now())
  if (!validated!.ok) throw validationFault(validated!.faults)
  const { intent } = validated!
  const [answer] = await accept.submit([intent])
  const { intentId } = answer!
  return (
    notificationOf(intent, answer!, clock.now()) ??
    (await context.load.notification(notificationId(intentId, 1))) ??
    viewsOfNewIntent(intent, intentId, clock.now())[0]!
  )
}

builder.mutationField('sendNotifications', (t) =>
  t.field({
    type: [SendResult],
    description: 'Accepts up to 1000 requests in one commit; each has its own answer, in order.',
    args: { inputs: t.arg({ type: [SendNotificationInput], required: true }) },
    resolve: (_root, args, context) => sendMany(sendings.sendNotifications, args.inputs, context),
  }),
)

builder.mutationField('publishEvent', (t) =>
  t.field({
    type: SendResult,
    description: 'Accepts a business event, and answers after the commit.',
    args: { input: t.arg({ type: EventInput, required: true }) },
    resolve: async (_root, args, context) => (await sendMany(sendings.publishEvent, [args.input], context))[0]!,
  }),
)

builder.mutationField('publishEvents', (t) =>
  t.field({
    type: [SendResult],
    description: 'Accepts up to 1000 business events in one commit; each has its own answer, in order.',
    args: { inputs: t.arg({ type: [EventInput], required: true }) },
    resolve: (_root, args, context) => sendMany(sendings.publishEvents, args.inputs, context),
  }),
)

/** One submit of all that is valid; what is not has its answer already. */
async function sendMany(sending: Sending, inputs: readonly unknown[], context: ApiContext): Promise<SendAnswer[]> {
  requireScope(context, 'send')
  if (inputs.length > maxInputs) {
    throw fault('BAD_USER_INPUT', `inputs must be at most ${maxInputs}`, { path: ['inputs'] })
  }
  const { accept, clock } = context.services
  const validated = judgeAll(sending, inputs, sendCallerOf(context), clock.now())
  const intents = validOnes(validated)
  const accepted = intents.length > 0 ? await accept.submit(intents) : []
  return answersOf(sending, validated, accepted, clock.now())
}
