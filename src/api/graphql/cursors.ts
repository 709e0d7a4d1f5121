import { type Channel, channels } from '../../domain/channel.ts'
import { isId } from '../../domain/ids.ts'
import type { FeedCursor } from '../../domain/status-event.ts'
import { storable } from '../../pipeline/accept/text-rules.ts'
import { fault } from './errors.ts'

/** Cursors are opaque to callers; each kind says what it is, so that one is not taken for another. */
function encode(kind: string, ...parts: string[]): string {
  return Buffer.from([kind, ...parts].join('|')).toString('base64url')
}

function decode(kind: string, cursor: string, path: readonly string[], isPart: (parts: string[]) => boolean): string[] {
  const [found, ...parts] = Buffer.from(cursor, 'base64url').toString('utf8').split('|')
  if (found !== kind || !isPart(parts))
    throw fault('BAD_USER_INPUT', `${path.join('.')} is not a cursor of this list`, { path })
  return parts
}

export const encodeIdCursor = (id: string): string => encode('n', id)

export function decodeIdCursor(cursor: string, path: readonly string[]): string {
  return decode('n', cursor, path, (parts) => parts.length === 1 && isId(parts[0]!))[0]!
}

export const encodeFeedCursor = ({ xid, id }: FeedCursor): string => encode('f', xid, id)

export function decodeFeedCursor(cursor: string, path: readonly string[]): FeedCursor {
  const [xid, id] = decode(
    'f',
    cursor,
    path,
    (parts) => parts.length === 2 && /^\d{1,19}$/.test(parts[0]!) && isId(parts[1]!),
  )
  return { xid: xid!, id: id! }
}

const timestamp = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?\+00$/

export const encodePlaceCursor = (place: string, id: string): string => encode('p', place, id)

export function decodePlaceCursor(cursor: string, path: readonly string[]): { place: string; deliveryId: string } {
  const [place, deliveryId] = decode(
    'p',
    cursor,
    path,
    (parts) => parts.length === 2 && timestamp.test(parts[0]!) && isId(parts[1]!),
  )
  return { place: place!, deliveryId: deliveryId! }
}

export const encodeAddressCursor = (channel: Channel, address: string): string =>
  encode('a', channel, Buffer.from(address).toString('base64url'))

export function decodeAddressCursor(cursor: string, path: readonly string[]): { channel: Channel; address: string } {
  const isPart = (parts: string[]) => parts.length === 2 && channels.some((known) => known === parts[0])
  const [channel, address] = decode('a', cursor, path, isPart)
  return { channel: channel as Channel, address: Buffer.from(address!, 'base64url').toString() }
}

export const encodeTextCursor = (text: string): string => encode('t', text)

export function decodeTextCursor(cursor: string, path: readonly string[]): string {
  return decode('t', cursor, path, (parts) => parts.length > 0 && storable(parts.join(''))).join('|')
}
