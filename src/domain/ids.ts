import { type Channel, channelCode, channelOfCode } from './channel.ts'

/*
 * One story, one id. An intent's id is a UUIDv7 whose last 32 bits are zero; they hold the ordinal of the recipient
 * (24 bits, from 1) and the channel (8 bits). So the notification and delivery ids of an intent are known before the
 * rows exist, planning twice meets its own primary keys, parents are found without a look-up, everything of one story
 * is one range of ids, and all of it falls into one partition.
 *
 *   0190a1b2-c3d4-7xxx-yxxx-xxxx 000000 00   intent
 *   0190a1b2-c3d4-7xxx-yxxx-xxxx 000001 00   its first notification
 *   0190a1b2-c3d4-7xxx-yxxx-xxxx 000001 0b   that notification's in-app delivery
 */

const maxOrdinal = 0xffffff
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

export function isId(text: string): boolean {
  return idPattern.test(text)
}

export function isNotificationId(text: string): boolean {
  return isId(text) && text.endsWith('00') && !text.endsWith('00000000')
}

/** The id of the intent's notification for its `ordinal`-th recipient, from 1. */
export function notificationId(intentId: string, ordinal: number): string {
  if (!Number.isInteger(ordinal) || ordinal < 1 || ordinal > maxOrdinal) {
    throw new RangeError(`recipient ordinal ${ordinal} is outside 1..${maxOrdinal}`)
  }
  return `${intentId.slice(0, 28)}${ordinal.toString(16).padStart(6, '0')}00`
}

export function deliveryId(notificationId: string, channel: Channel): string {
  return notificationId.slice(0, 34) + channelCode(channel).toString(16).padStart(2, '0')
}

/** The intent that an intent, notification or delivery id belongs to. */
export function intentIdOf(id: string): string {
  return `${id.slice(0, 28)}00000000`
}

/** The notification that a notification or delivery id belongs to. */
export function notificationIdOf(id: string): string {
  return `${id.slice(0, 34)}00`
}

/** The recipient's place in the intent, from 1. */
export function ordinalOf(id: string): number {
  return Number.parseInt(id.slice(28, 34), 16)
}

export function channelOf(deliveryId: string): Channel | undefined {
  return channelOfCode(Number.parseInt(deliveryId.slice(34), 16))
}

/** The last id of the story that begins with this id: of a notification, its deliveries; of an intent, everything. */
export function lastIdOf(id: string): string {
  return id.endsWith('00000000') ? `${id.slice(0, 28)}ffffffff` : `${id.slice(0, 34)}ff`
}

/** The moment in the first 48 bits of a UUIDv7, in milliseconds since the epoch. */
export function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** The least UUIDv7 of a moment: the bound of a partition, the lower end of a search by time. */
export function firstIdAt(timeMs: number): string {
  const hex = Math.max(0, Math.trunc(timeMs)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`
}
