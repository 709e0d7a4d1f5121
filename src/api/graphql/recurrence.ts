import { z } from 'zod'
import type { Recurrence as RecurrenceValue } from '../../domain/schedule.ts'
import { recurrenceFault } from '../../domain/time/recurrence.ts'
import { optionalText, orAbsent, timezone } from '../../pipeline/accept/validate-fields.ts'
import { builder } from './builder.ts'

export const RecurrenceInput = builder.inputType('RecurrenceInput', {
  description: 'Moments that come again: exactly one of cron and rrule.',
  fields: (t) => ({
    cron: t.string({ description: 'Five fields, or @daily and the like.' }),
    rrule: t.string({
      description: 'RFC 5545, with DTSTART where it counts: `FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0`',
    }),
    timezone: t.string({ description: 'IANA; default: UTC.' }),
  }),
})

export const Recurrence = builder.objectRef<RecurrenceValue>('Recurrence').implement({
  fields: (t) => ({
    cron: t.exposeString('cron', { nullable: true }),
    rrule: t.exposeString('rrule', { nullable: true }),
    timezone: t.string({ resolve: (recurrence) => recurrence.timezone ?? 'UTC' }),
  }),
})

/** What a RecurrenceInput must be. */
export const recurrence = z
  .object({
    cron: optionalText(1, 200),
    rrule: optionalText(1, 1_000),
    timezone: orAbsent(timezone),
  })
  .superRefine((value, check) => {
    const found = recurrenceFault(value)
    if (found) {
      const path =
        value.cron === undefined && value.rrule !== undefined ? ['rrule'] : value.cron && !value.rrule ? ['cron'] : []
      check.addIssue({ code: 'custom', path, message: found })
    }
  })
