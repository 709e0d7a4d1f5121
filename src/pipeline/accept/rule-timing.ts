import { z } from 'zod'
import type { DigestPolicy } from '../../domain/digest.ts'
import type { Rule } from '../../domain/rule.ts'
import type { Schedule, SendWindow } from '../../domain/schedule.ts'
import { recurrenceFault } from '../../domain/time/recurrence.ts'
import { camelKeys, durationOf, wallClock, weekdays } from './rule-json.ts'
import { anyText, told } from './text-rules.ts'
import { orAbsent, timezone } from './validate-fields.ts'

const day = 86_400
export const maxDelaySeconds = 366 * day
export const maxWindowSeconds = 31 * day

const sendWindow = z.preprocess(
  camelKeys,
  z
    .strictObject({ startTime: wallClock, endTime: wallClock, timezone: orAbsent(timezone), days: orAbsent(weekdays) })
    .refine(({ startTime, endTime, days }) => startTime !== endTime || days !== undefined, {
      path: ['endTime'],
      message: 'must not be the start, but for whole days, which name them',
    })
    .transform((value): SendWindow => absentLeftOut(value)),
)

/** The `schedule` of a rule, as JSON: when what it wants is sent, or when its digests are closed. */
export const ruleSchedule = z
  .preprocess(
    camelKeys,
    z.strictObject({
      delay: orAbsent(durationOf(0, maxDelaySeconds)),
      localTime: orAbsent(wallClock),
      timezone: orAbsent(timezone),
      sendWindow: orAbsent(sendWindow),
      cron: orAbsent(told(anyText(1, 200))),
      rrule: orAbsent(told(anyText(1, 500))),
    }),
  )
  .superRefine(({ cron, rrule, timezone }, check) => {
    if (cron === undefined && rrule === undefined) return
    const message =
      cron !== undefined && rrule !== undefined
        ? 'and cron exclude each other'
        : recurrenceFault({ cron, rrule, timezone })
    if (message) check.addIssue({ code: 'custom', path: [rrule === undefined ? 'cron' : 'rrule'], message })
  })

export type RuleSchedule = z.output<typeof ruleSchedule>

/** The `group` of a rule, as JSON. */
export const ruleGroup = z.preprocess(
  camelKeys,
  z
    .strictObject({
      by: z
        .array(told(anyText(1, 4_096)))
        .min(1, 'must not be empty')
        .max(10, 'must be at most 10'),
      wait: durationOf(0, day).default(30_000),
      interval: durationOf(1, day).default(300_000),
      repeat: durationOf(1, maxWindowSeconds).default(14_400_000),
      resolved: orAbsent(told(anyText(1, 4_096))),
      alert: orAbsent(told(anyText(1, 4_096))),
    })
    .transform(
      ({ by, wait, interval, repeat, resolved, alert }): NonNullable<Rule['group']> =>
        absentLeftOut({ by, waitMs: wait, intervalMs: interval, repeatMs: repeat, resolved, alert }),
    ),
)

/** When what a rule wants is sent; undefined: at once. Where a part names no zone, the rule's own is meant. */
export function scheduleOf(said: RuleSchedule | undefined, zone: string | undefined): Schedule | undefined {
  const { delay, localTime, timezone: own = zone, sendWindow: window } = said ?? {}
  if (delay === undefined && localTime === undefined && window === undefined) return undefined
  const sendWindow = window && absentLeftOut({ ...window, timezone: window.timezone ?? own })
  return absentLeftOut({ delayMs: delay, localTime, timezone: own, sendWindow })
}

/** What is said of digests, beside the schedule. Seconds. */
export interface BatchInput {
  batchWindow?: number
  batchSize?: number
  batchSliding?: boolean
  batchLongestWait?: number
  batchKey?: string
  digestTemplate?: string
}

export type BatchFault = { field: keyof BatchInput | 'schedule'; message: string }

/** When a rule's digests are closed; undefined: it has none. */
export function digestOf(
  batch: BatchInput,
  said: RuleSchedule | undefined,
  zone: string | undefined,
): { digest?: DigestPolicy; fault?: BatchFault } {
  const { batchWindow, batchSize, batchSliding, batchLongestWait, digestTemplate } = batch
  const { cron, rrule, timezone: own = zone } = said ?? {}
  const recurs = cron !== undefined || rrule !== undefined
  const fault = (field: BatchFault['field'], message: string) => ({ fault: { field, message } })
  if (batchWindow !== undefined && recurs) return fault('batchWindow', 'and cron or rrule exclude each other')
  if (batchWindow === undefined && !recurs) {
    const field = (['batchSize', 'batchKey', 'digestTemplate', 'batchSliding', 'batchLongestWait'] as const).find(
      (name) => batch[name] !== undefined && batch[name] !== false,
    )
    return field ? fault(field, 'needs a batchWindow, or cron or rrule in the schedule') : {}
  }
  if (batchWindow === undefined && batchSliding) return fault('batchSliding', 'needs a batchWindow')
  if (batchLongestWait !== undefined && !batchSliding) return fault('batchLongestWait', 'is for sliding windows')
  if (batchLongestWait !== undefined && batchLongestWait < batchWindow!)
    return fault('batchLongestWait', 'must not be shorter than batchWindow')
  const sliding = batchSliding
    ? { sliding: true, longestMs: 1_000 * (batchLongestWait ?? Math.min(10 * batchWindow!, maxWindowSeconds)) }
    : {}
  return {
    digest: absentLeftOut({
      windowMs: batchWindow === undefined ? undefined : batchWindow * 1_000,
      ...sliding,
      size: batchSize,
      recurrence: recurs ? absentLeftOut({ cron, rrule, timezone: own }) : undefined,
      template: digestTemplate,
    }),
  }
}

/** Both as JSON: the opposite of the above. */
export function scheduleJson({ schedule, digest }: Pick<Rule, 'schedule' | 'digest'>): Record<string, unknown> | null {
  const recurrence = digest?.recurrence
  if (!schedule && !recurrence) return null
  return absentLeftOut({
    delay: schedule?.delayMs === undefined ? undefined : schedule.delayMs / 1_000,
    localTime: schedule?.localTime,
    timezone: schedule?.timezone ?? recurrence?.timezone,
    sendWindow: schedule?.sendWindow,
    cron: recurrence?.cron,
    rrule: recurrence?.rrule,
  })
}

export function groupJson(group: Rule['group']): Record<string, unknown> | null {
  if (!group) return null
  const { by, waitMs, intervalMs, repeatMs, resolved, alert } = group
  const seconds = { wait: waitMs / 1_000, interval: intervalMs / 1_000, repeat: repeatMs / 1_000 }
  return absentLeftOut({ by, ...seconds, resolved, alert })
}

/** What is stored and compared holds no undefined. */
export function absentLeftOut<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
