import { z } from 'zod'
import type { DigestPolicy } from '../../domain/digest.ts'
import type { SendWindow } from '../../domain/schedule.ts'
import { recurrenceFault } from '../../domain/time/recurrence.ts'
import { faultsOf, oneLine, orAbsent, text, timezone } from '../../pipeline/accept/validate-fields.ts'
import type { CategoryProfile } from '../../store/categories.ts'
import { validationFault } from './errors.ts'

const longestWindow = 31 * 86_400

const seconds = z
  .number()
  .min(1, 'must be at least 1 second')
  .max(longestWindow, `must be at most ${longestWindow} seconds`)
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day as HH:MM')
const days = z
  .array(z.number().min(0, 'must be 1 (Monday) to 7 (Sunday)').max(7, 'must be 1 (Monday) to 7 (Sunday)'))
  .min(1, 'must not be empty')
  .transform((list) => [...new Set(list.map((day) => day || 7))].sort())

const sendWindow = z
  .object({ startTime: timeOfDay, endTime: timeOfDay, timezone: orAbsent(timezone), days: orAbsent(days) })
  .refine(({ startTime, endTime, days }) => startTime !== endTime || days !== undefined, {
    path: ['endTime'],
    message: 'must differ from startTime, but for whole days, which name them',
  })
  .transform((window): SendWindow => window)

const digest = z
  .object({
    window: orAbsent(seconds),
    sliding: orAbsent(z.boolean()),
    longest: orAbsent(seconds),
    size: orAbsent(z.number().min(1, 'must be at least 1').max(10_000, 'must be at most 10000')),
    cron: orAbsent(text(1, 200)),
    rrule: orAbsent(text(1, 1_000)),
    timezone: orAbsent(timezone),
    template: orAbsent(text(1, 200)),
  })
  .superRefine(({ window, sliding, longest, cron, rrule, timezone: zone }, check) => {
    const refuse = (path: string, message: string) => check.addIssue({ code: 'custom', path: [path], message })
    const ends = [window, cron, rrule].filter((end) => end !== undefined).length
    if (ends !== 1) refuse('window', 'give one of window, cron and rrule')
    else if (window === undefined) {
      const fault = recurrenceFault({ cron, rrule, timezone: zone })
      if (fault) refuse(cron === undefined ? 'rrule' : 'cron', fault)
      if (sliding) refuse('sliding', 'needs a window')
      if (longest !== undefined) refuse('longest', 'needs a sliding window')
    } else {
      if (longest !== undefined && !sliding) refuse('longest', 'needs a sliding window')
      if (longest !== undefined && longest < window) refuse('longest', 'must not be shorter than the window')
      if (zone !== undefined) refuse('timezone', 'needs cron or rrule')
    }
  })
  .transform(
    ({ window, longest, cron, rrule, timezone: zone, ...rest }): DigestPolicy => ({
      ...rest,
      windowMs: window === undefined ? undefined : window * 1_000,
      longestMs: longest === undefined ? undefined : longest * 1_000,
      recurrence: window === undefined ? { cron, rrule, timezone: zone } : undefined,
    }),
  )

const category = z
  .object({
    name: oneLine(200).refine((name) => name !== '', 'must not be empty'),
    description: orAbsent(text(0, 2_000)),
    required: z.boolean().nullish(),
    marketing: z.boolean().nullish(),
    enabled: z.boolean().nullish(),
    channels: orAbsent(
      z.array(z.custom<NonNullable<CategoryProfile['channels']>[number]>()).min(1, 'must not be empty'),
    ),
    minPriority: orAbsent(z.number()),
    frequency: orAbsent(z.custom<CategoryProfile['frequency']>()),
    digest: orAbsent(digest),
    sendWindow: orAbsent(sendWindow),
    onExcess: orAbsent(z.custom<CategoryProfile['onExcess']>()),
  })
  .superRefine(({ required, marketing, enabled, frequency, digest: policy }, check) => {
    const refuse = (path: string, message: string) => check.addIssue({ code: 'custom', path: [path], message })
    if (required && marketing) refuse('required', 'a marketing category cannot be required')
    if (required && enabled === false) refuse('enabled', 'a required category cannot be switched off')
    if (frequency === 'digest' && !policy) refuse('digest', 'is needed where the frequency is DIGEST')
  })
  .transform(
    (given): CategoryProfile => ({
      ...given,
      required: given.required ?? false,
      marketing: given.marketing ?? false,
      enabled: given.enabled ?? true,
      channels: given.channels && [...new Set(given.channels)],
      frequency: given.frequency ?? 'instant',
      onExcess: given.onExcess ?? (given.marketing ? 'suppress' : 'snooze'),
    }),
  )

/** Judges a category as it shall be; throws a fault that names the field. */
export function validateCategory(input: unknown): CategoryProfile {
  const judged = category.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['input']))
  return judged.data
}
