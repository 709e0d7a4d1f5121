/*
 * Groups of alerts, as people on call know them from Alertmanager. A group is opened by its first alert and told of after `waitMs`,
 * so that what breaks together is told together. From then on a change (an alert that is new, or resolved) is told `intervalMs`
 * after what was told last, and a group without a change once more after `repeatMs`. It ends when all of it is resolved: that is
 * told as well, unless nobody had heard of it yet.
 */

export interface GroupTimes {
  waitMs: number
  intervalMs: number
  repeatMs: number
}

export interface Alert {
  /** Its event; or, named by the rule, the same for all events of one alert. */
  ref: string
  resolved: boolean
  /** Whether it was told of as it is now. */
  told: boolean
  /** Rises with each event: the id of its newest notification. */
  newest: string
  /** A resolved event that names no alert: it resolves all that was before it. */
  endsAll?: boolean
}

export interface AlertGroup extends GroupTimes {
  openedAt: Date
  /** When it was last told of. */
  flushedAt?: Date
}

export type GroupStep =
  | { kind: 'wait'; until: Date }
  /** Tell of all of it; with `ends` nothing burns any more. */
  | { kind: 'flush'; firing: Set<string>; ends: boolean }
  /** It is over, and nobody has heard of it. */
  | { kind: 'drop' }

/** What is to be done with a group now; `asked` that somebody wants to be told at once, and the group to end. */
export function groupStep(group: AlertGroup, alerts: readonly Alert[], now: Date, asked = false): GroupStep {
  const firing = firingOf(alerts)
  const isSilent = firing.size === 0 && group.flushedAt === undefined
  if (!asked) {
    const until = nextFlush(group, alerts)
    if (until > now) return { kind: 'wait', until }
  }
  if (isSilent || alerts.length === 0) return { kind: 'drop' }
  return { kind: 'flush', firing, ends: asked || firing.size === 0 }
}

function nextFlush({ openedAt, flushedAt, waitMs, intervalMs, repeatMs }: AlertGroup, alerts: readonly Alert[]): Date {
  if (flushedAt === undefined) return new Date(openedAt.getTime() + waitMs)
  const isChanged = alerts.some(({ told }) => !told)
  return isChanged
    ? new Date(flushedAt.getTime() + Math.max(intervalMs, leastMs))
    : afterFlush({ waitMs, intervalMs, repeatMs }, flushedAt)
}

/** Nobody is told of the same more often, whatever the intervals say. */
const leastMs = 1_000

/** When a group that was told of just now is looked at again. */
export function afterFlush({ intervalMs, repeatMs }: GroupTimes, now: Date): Date {
  return new Date(now.getTime() + Math.max(intervalMs, repeatMs, leastMs))
}

function firingOf(alerts: readonly Alert[]): Set<string> {
  let lastEnd = ''
  for (const { endsAll, newest } of alerts) if (endsAll && newest > lastEnd) lastEnd = newest
  return new Set(alerts.filter(({ resolved, newest }) => !resolved && newest > lastEnd).map(({ ref }) => ref))
}
