import type { LeanRequests } from './lean-generator.ts'
import { eventType, inputOf } from './load-item.ts'

/** What the lean generator asks for; it goes to another process, so it is data. */
export type LeanAim =
  | { kind: 'send one'; run: string; phase?: number; extra?: Record<string, unknown> }
  | { kind: 'send many'; run: string; size: number }
  /** One in-app notification each, to subscriber after subscriber; its subject says when it should have been sent. */
  | { kind: 'send to inbox'; subscribers: number }
  | { kind: 'look up'; ids: string[] }

const sendOne = `mutation One($input: SendNotificationInput!) { sendNotification(input: $input) { id status } }`
const sendMany = `mutation Load($inputs: [SendNotificationInput!]!) {
  sendNotifications(inputs: $inputs) { intentId status error { code } }
}`
const lookUp = `query One($id: ID!) {
  notification(id: $id) { id status type recipientId createdAt deliveries { channel status reason } }
}`

export function leanRequests(aim: LeanAim): LeanRequests {
  if (aim.kind === 'look up') {
    const { ids } = aim
    return {
      size: 1,
      bodyOf: (turn) => JSON.stringify({ query: lookUp, variables: { id: ids[turn % ids.length] } }),
      doneIn: (answer) => (answer.startsWith('{"data":{"notification":{"id"') ? 1 : failed(answer)),
    }
  }
  if (aim.kind === 'send one') {
    return {
      size: 1,
      bodyOf: (number, intendedMs) => {
        const input = { ...inputOf({ number, phase: aim.phase ?? 0, intendedMs, run: aim.run }), ...aim.extra }
        return JSON.stringify({ query: sendOne, variables: { input } })
      },
      doneIn: (answer) => (answer.startsWith('{"data":{"sendNotification":{"id"') ? 1 : failed(answer)),
    }
  }
  if (aim.kind === 'send to inbox') {
    return {
      size: 1,
      bodyOf: (turn, intendedMs) => {
        const input = {
          type: eventType,
          recipient: { type: 'USER', id: `subscriber-${(turn * inboxStep) % aim.subscribers}` },
          channels: ['IN_APP'],
          subject: String(intendedMs),
          body: 'Your order has left our warehouse.',
        }
        return JSON.stringify({ query: sendOne, variables: { input } })
      },
      doneIn: (answer) => (answer.startsWith('{"data":{"sendNotification":{"id"') ? 1 : failed(answer)),
    }
  }
  return {
    size: aim.size,
    bodyOf: (turn, intendedMs) => {
      const inputs = Array.from({ length: aim.size }, (_one, index) =>
        inputOf({ number: turn * aim.size + index, phase: 0, intendedMs, run: aim.run }),
      )
      return JSON.stringify({ query: sendMany, variables: { inputs } })
    },
    doneIn: (answer) => answer.split('"status":"ACCEPTED"').length - 1 || failed(answer),
  }
}

/** A prime, so that neighbours in time are no neighbours in the list. */
const inboxStep = 613

function failed(answer: string): never {
  throw new Error(`not what was asked for: ${answer.slice(0, 300)}`)
}
