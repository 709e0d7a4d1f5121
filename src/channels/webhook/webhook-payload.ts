import type { Message } from '../../domain/message.ts'

/** `webhook-id`: the same at each try and replay. An endpoint is told of an event once, so there the event's id will do. */
export const webhookId = (message: Message): string => message.webhook?.statusEvent?.id ?? message.deliveryId

/**
 * The body of Standard Webhooks. Everything in it belongs to the notification and nothing to the try, so that all tries
 * of a delivery carry the same bytes: `timestamp` is when the notification was accepted, or the event happened.
 */
export function webhookPayload(message: Message): Buffer {
  const event = message.webhook?.statusEvent
  if (event) return Buffer.from(JSON.stringify({ type: message.type, timestamp: event.at, data: message.data }))
  return Buffer.from(
    JSON.stringify({
      type: message.type,
      timestamp: message.createdAt,
      data: {
        id: message.notificationId,
        delivery_id: message.deliveryId,
        recipient_id: message.recipientId,
        subject: message.subject ?? null,
        body: message.body ?? null,
        data: message.data,
        metadata: message.metadata,
      },
    }),
  )
}
