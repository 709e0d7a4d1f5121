import type { Message } from '../../domain/message.ts'

/**
 * The body of Standard Webhooks. Everything in it belongs to the notification and nothing to the try, so that all tries
 * of a delivery carry the same bytes: `timestamp` is when the notification was accepted.
 */
export function webhookPayload(message: Message): Buffer {
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
