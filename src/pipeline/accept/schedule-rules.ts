import { z } from 'zod'
import type { Schedule } from '../../domain/schedule.ts'
import { maxScheduledMs, orAbsent, timezone } from './validate-fields.ts'

const wallClock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day as HH:MM')

const weekdays = z
  .array(
    z
      .int('must be whole numbers')
      .min(0, 'must be 1 (Monday) to 7 (Sunday)')
      .max(7, 'must be 1 (Monday) to 7 (Sunday)'),
  )
  .min(1, 'must not be empty')
  .max(7, 'must be at most 7')

const sendWindow = z
  .object({
    startTime: wallClock,
    endTime: wallClock,
    timezone: orAbsent(timezone),
    days: orAbsent(weekdays),
  })
  .refine(({ startTime, endTime, days }) => startTime !== endTime || days !== undefined, {
    path: ['endTime'],
    message: 'must not be startTime, but for whole days, which name them',
  })

const maxDelaySeconds = maxScheduledMs / 1000

/** A ScheduleInput: seconds, and times of the wall clock. Null is absent. */
export const scheduleInput = z
  .object({
    delay: orAbsent(
      z
        .int('must be a whole number of seconds')
        .min(0, 'must not be negative')
        .max(maxDelaySeconds, 'must be at most 366 days'),
    ),
    localTime: orAbsent(wallClock),
    timezone: orAbsent(timezone),
    sendWindow: orAbsent(sendWindow),
  })
  .superRefine(({ delay, localTime, timezone, sendWindow }, check) => {
    if (timezone !== undefined && localTime === undefined) {
      check.addIssue({ code: 'custom', path: ['timezone'], message: 'is for localTime, which is missing' })
    } else if (delay === undefined && localTime === undefined && sendWindow === undefined) {
      check.addIssue({ code: 'custom', message: 'needs delay, localTime or sendWindow' })
    }
  })
  .transform(({ delay, ...rest }): Schedule => ({ delayMs: delay === undefined ? undefined : delay * 1000, ...rest }))
