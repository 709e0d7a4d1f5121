import type { AcceptAnswer, NewIntent } from '../../domain/intent.ts'
import { validateEvent } from '../../pipeline/accept/validate-event.ts'
import { type SendCaller, type ValidatedIntent, validateSend } from '../../pipeline/accept/validate-send.ts'
import { fault } from './errors.ts'
import { type NotificationView, viewsOfNewIntent } from './notification-view.ts'
import type { SendAnswer } from './send-result-type.ts'

export const maxInputs = 1_000

/** What differs between the mutations that accept. */
export interface Sending {
  /** The argument: one input, or many. */
  argument: 'input' | 'inputs'
  judge(input: unknown, caller: SendCaller, now: Date, path: string[]): ValidatedIntent
  keyField: 'idempotencyKey' | 'id'
}

export const sendings = {
  sendNotification: {
    argument: 'input',
    judge: (input, caller, now, path) => validateSend(input, caller, now, { path, single: true }),
    keyField: 'idempotencyKey',
  },
  sendNotifications: {
    argument: 'inputs',
    judge: (input, caller, now, path) => validateSend(input, caller, now, { path, single: false }),
    keyField: 'idempotencyKey',
  },
  publishEvent: {
    argument: 'input',
    judge: (input, caller, _now, path) => validateEvent(input, caller, path),
    keyField: 'id',
  },
  publishEvents: {
    argument: 'inputs',
    judge: (input, caller, _now, path) => validateEvent(input, caller, path),
    keyField: 'id',
  },
} as const satisfies Record<string, Sending>

const pathOf = ({ argument }: Sending, index: number): string[] =>
  argument === 'input' ? [argument] : [argument, String(index)]

export function judgeAll(
  sending: Sending,
  inputs: readonly unknown[],
  caller: SendCaller,
  now: Date,
): readonly ValidatedIntent[] {
  return inputs.map((input, index) => sending.judge(input, caller, now, pathOf(sending, index)))
}

export const validOnes = (validated: readonly ValidatedIntent[]): NewIntent[] =>
  validated.flatMap((one) => (one.ok ? [one.intent] : []))

/** The answers to all inputs, in order: `accepted` are those to the valid ones. */
export function answersOf(
  sending: Sending,
  validated: readonly ValidatedIntent[],
  accepted: readonly AcceptAnswer[],
  answeredAt: Date,
): SendAnswer[] {
  let next = 0
  return validated.map((one, index): SendAnswer => {
    if (!one.ok) {
      const { path, message } = one.faults[0]!
      return { status: 'rejected', error: { code: 'VALIDATION_FAILED', message: `${path.join('.')} ${message}`, path } }
    }
    const answer = accepted[next++]!
    if (answer.status === 'conflict') return { status: 'rejected', error: conflictAt(sending, index) }
    return { status: answer.status, intentId: answer.intentId, intent: one.intent, answeredAt }
  })
}

function conflictAt(sending: Sending, index: number) {
  const path = [...pathOf(sending, index), sending.keyField]
  return { code: 'IDEMPOTENCY_CONFLICT' as const, message: `${path.join('.')} was used with other content`, path }
}

/** The answer of sendNotification, whose faults are errors; undefined: a duplicate, whose state is to be read. */
export function notificationOf(
  intent: NewIntent,
  answer: AcceptAnswer,
  answeredAt: Date,
): NotificationView | undefined {
  if (answer.status === 'conflict') {
    const { code, message, path } = conflictAt(sendings.sendNotification, 0)
    throw fault(code, message, { path })
  }
  return answer.status === 'accepted' ? viewsOfNewIntent(intent, answer.intentId, answeredAt)[0] : undefined
}
