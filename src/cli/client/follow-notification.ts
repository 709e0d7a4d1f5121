import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError } from '../exit-codes.ts'
import type { ApiClient, FollowedNotification } from './api-client.ts'

/** One line of a notification's fate. */
export interface FateLine {
  /** Absent: of the notification as a whole. */
  channel?: string
  status: string
  detail?: string
}

export interface FollowOptions {
  signal: AbortSignal
  /** Hears each change once, in order. */
  onChange(line: FateLine, notification: FollowedNotification): void
  /** A delivery that waits for its next attempt counts as an end. Default false. */
  untilRetry?: boolean
  pollMs?: number
}

const ended = new Set(['SENT', 'DELIVERED', 'FAILED', 'CANCELLED', 'SUPPRESSED', 'EXPIRED'])
const good = new Set(['SENT', 'DELIVERED'])

export const isGoodEnd = (notification: FollowedNotification): boolean => good.has(notification.status)

/** Whether nothing more happens by itself. A fallback that was not needed waits for ever, and is not waited for. */
export function isEnded(notification: FollowedNotification, untilRetry = false): boolean {
  const atRest = (status: string) => ended.has(status) || (untilRetry && status === 'RETRYING')
  if (!atRest(notification.status)) return false
  const wanted = isGoodEnd(notification)
    ? notification.deliveries.filter(({ channel }) => notification.channels.includes(channel))
    : notification.deliveries
  return wanted.every(({ status }) => atRest(status))
}

/**
 * Follows a notification until it ends, by the subscription; where that cannot be had or breaks off, by looking again
 * and again. Gives the notification as it was last seen; when the signal aborts, that too.
 */
export async function followNotification(
  client: ApiClient,
  first: FollowedNotification,
  options: FollowOptions,
): Promise<FollowedNotification> {
  const { signal, untilRetry } = options
  const told = createTold()
  let last = first
  const see = (seen: FollowedNotification): boolean => {
    last = seen
    for (const line of told(seen)) options.onChange(line, seen)
    return isEnded(seen, untilRetry)
  }
  if (see(first)) return last

  const watching = new AbortController()
  const stop = AbortSignal.any([signal, watching.signal])
  try {
    for await (const seen of client.changes(first.id, stop)) if (see(seen)) return last
  } catch (error) {
    if (signal.aborted) return last
    if (error instanceof CommandError && ['FORBIDDEN', 'UNAUTHENTICATED', 'NOT_FOUND'].includes(error.code)) throw error
  } finally {
    watching.abort()
  }
  while (!signal.aborted) {
    if (see(await client.read(first.id))) return last
    await sleep(options.pollMs ?? 500, undefined, { signal }).catch(() => {})
  }
  return last
}

/** Gives of each view what the views before did not say. */
function createTold(): (notification: FollowedNotification) => FateLine[] {
  const known = new Map<string, string>()
  const changed = (key: string, line: FateLine): FateLine[] => {
    const said = `${line.status} ${line.detail ?? ''}`
    if (known.get(key) === said) return []
    known.set(key, said)
    return [line]
  }
  return (notification) => {
    const { deliveries, status, error } = notification
    if (deliveries.length === 0) return changed('', { status, detail: error ?? undefined })
    return deliveries.flatMap((delivery) => {
      const { channel } = delivery
      return changed(channel, { channel, status: delivery.status, detail: detailOf(delivery, notification) })
    })
  }
}

function detailOf(
  { status, reason, attempts }: FollowedNotification['deliveries'][number],
  { nextRetryAt }: FollowedNotification,
): string | undefined {
  const attempt = attempts.at(-1)
  if (good.has(status))
    return attempt && `by ${attempt.provider}${attempt.attemptNumber > 1 ? `, attempt ${attempt.attemptNumber}` : ''}`
  if (status === 'QUEUED' || status === 'SENDING') return undefined
  const said = attempt?.error ?? undefined
  const why = said && reason && !said.startsWith(reason) ? `${reason}: ${said}` : (said ?? reason ?? undefined)
  const next = status === 'RETRYING' && nextRetryAt ? `next try at ${nextRetryAt}` : undefined
  return [why, next].filter((part) => part !== undefined).join('; ') || undefined
}
