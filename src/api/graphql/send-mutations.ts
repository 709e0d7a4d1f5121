import { notificationId } from '../../domain/ids.ts'
import { builder } from './builder.ts'
import { type ApiContext, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Notification } from './notification-type.ts'
import { type NotificationView, viewsOfNewIntent } from './notification-view.ts'
import { EventInput, SendNotificationInput } from './send-inputs.ts'
import { type SendAnswer, SendResult } from './send-result-type.ts'
import { validateEvent } from './validate-event.ts'
import { type SendCaller, type ValidatedIntent, validateSend } from './validate-send.ts'

export const maxInputs = 1_000

const callerOf = (context: ApiContext): SendCaller => ({
  tenantId: context.principal.tenantId,
  traceparent: context.traceparent,
})

const conflict = 'was used with other content'

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
  const validated = validateSend(input, callerOf(context), clock.now(), { path: ['input'], single: true })
  if (!validated.ok) throw validationFault(validated.faults)
  const [answer] = await accept.submit([validated.intent])
  if (answer!.status === 'conflict') {
    const path = ['input', 'idempotencyKey']
    throw fault('IDEMPOTENCY_CONFLICT', `${path.join('.')} ${conflict}`, { path })
  }
  if (answer!.status === 'duplicate') {
    const first = await context.load.notification(notificationId(answer!.intentId, 1))
    if (first) return first
  }
  return viewsOfNewIntent(validated.intent, answer!.intentId, clock.now())[0]!
}

builder.mutationField('sendNotifications', (t) =>
  t.field({
    type: [SendResult],
    description: 'Accepts up to 1000 requests in one commit; each has its own answer, in order.',
    args: { inputs: t.arg({ type: [SendNotificationInput], required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'send')
      const now = context.services.clock.now()
      return sendMany(args.inputs, context, (input, index) =>
        validateSend(input, callerOf(context), now, { path: ['inputs', String(index)], single: false }),
      )
    },
  }),
)

builder.mutationField('publishEvent', (t) =>
  t.field({
    type: SendResult,
    description: 'Accepts a business event, and answers after the commit.',
    args: { input: t.arg({ type: EventInput, required: true }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'send')
      const [answer] = await answerAll([validateEvent(args.input, callerOf(context), ['input'])], context, () => [
        'input',
        'id',
      ])
      return answer!
    },
  }),
)

builder.mutationField('publishEvents', (t) =>
  t.field({
    type: [SendResult],
    description: 'Accepts up to 1000 business events in one commit; each has its own answer, in order.',
    args: { inputs: t.arg({ type: [EventInput], required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'send')
      return sendMany(
        args.inputs,
        context,
        (input, index) => validateEvent(input, callerOf(context), ['inputs', String(index)]),
        'id',
      )
    },
  }),
)

function sendMany<Input>(
  inputs: readonly Input[],
  context: ApiContext,
  validate: (input: Input, index: number) => ValidatedIntent,
  keyField = 'idempotencyKey',
): Promise<SendAnswer[]> {
  if (inputs.length > maxInputs) {
    throw fault('BAD_USER_INPUT', `inputs must be at most ${maxInputs}`, { path: ['inputs'] })
  }
  return answerAll(inputs.map(validate), context, (index) => ['inputs', String(index), keyField])
}

/** One submit of all that is valid; what is not has its answer already. */
async function answerAll(
  validated: readonly ValidatedIntent[],
  context: ApiContext,
  keyPath: (index: number) => string[],
): Promise<SendAnswer[]> {
  const { accept, clock } = context.services
  const intents = validated.flatMap((one) => (one.ok ? [one.intent] : []))
  const accepted = intents.length > 0 ? await accept.submit(intents) : []
  const answeredAt = clock.now()
  let next = 0
  return validated.map((one, index): SendAnswer => {
    if (!one.ok) {
      const { path, message } = one.faults[0]!
      return { status: 'rejected', error: { code: 'VALIDATION_FAILED', message: `${path.join('.')} ${message}`, path } }
    }
    const answer = accepted[next++]!
    if (answer.status === 'conflict') {
      const path = keyPath(index)
      const message = `${path.join('.')} ${conflict}`
      return { status: 'rejected', error: { code: 'IDEMPOTENCY_CONFLICT', message, path } }
    }
    return { status: answer.status, intentId: answer.intentId, intent: one.intent, answeredAt }
  })
}
