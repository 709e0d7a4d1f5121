import type { Channel } from '../../../src/domain/channel.ts'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { Message } from '../../../src/domain/message.ts'

export const firstSecret = `whsec_${Buffer.from('first-secret-of-thirty-two-bytes').toString('base64')}`
export const secondSecret = `whsec_${Buffer.from('other-secret-of-thirty-two-bytes').toString('base64')}`

const notification = notificationId('019a0000-0000-7000-8000-000000000000', 1)

/** A message full of things that must not be seen outside it. */
export function testMessage(channel: Channel, over: Partial<Message> = {}): Message {
  return {
    deliveryId: deliveryId(notification, channel),
    notificationId: notification,
    tenantId: '019a0000-0000-7000-8000-0000000000ff',
    channel,
    attempt: 1,
    type: 'commerce.order.shipped',
    address: 'quasimodo@belfry.example',
    recipientId: 'customer-77812',
    recipientName: 'Quasimodo Frollo',
    subject: 'Parcel Wolpertinger is under way',
    body: 'Your passcode is 4711-8842, call +49 170 5551234. Größe: xylophone.',
    bodyHtml: '<p>Your passcode is <b>4711-8842</b>. Größe: xylophone.</p>',
    data: { orderNumber: 'ORD-99312', nested: { street: 'Esmeraldaweg' } },
    metadata: { campaign: 'campanile' },
    webhook: { endpointId: 'ep_1', secrets: [firstSecret] },
    createdAt: '2026-05-01T12:00:00.000Z',
    ...over,
  }
}

/** What of `testMessage` may be found in no outcome. */
export const privateWords = [
  'quasimodo',
  'belfry',
  '77812',
  'frollo',
  'wolpertinger',
  '4711',
  '8842',
  '5551234',
  'xylophone',
  '99312',
  'esmeraldaweg',
  'campanile',
  'hunter2',
  firstSecret.toLowerCase(),
  firstSecret.slice(6, 26).toLowerCase(),
]

/** All of them in one text, as an unkind server would echo them. */
export const everythingPrivate = [
  'no quasimodo@belfry.example <Quasimodo Frollo> at https://belfry.example/hook?token=hunter2',
  'Parcel Wolpertinger 4711-8842 +49 170 5551234 xylophone customer-77812 ORD-99312 Esmeraldaweg campanile',
  firstSecret,
].join(' ')
