import { z } from 'zod'
import { aLine, told } from './text-rules.ts'

/*
 * The parts of a rule that are JSON are written by people, in GraphQL and in YAML files. Names with underscores are as good
 * as ours, and what is no part of it is a slip of the pen, and said.
 */

/** An object with its keys in camelCase, one floor deep; anything else as it is. */
export function camelKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [camelCase(key), member]))
}

const camelCase = (key: string) => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** A list of distinct names. */
export const namesOf = (maxLength: number, most: number) =>
  z
    .array(told(aLine(maxLength)).refine((name) => name !== '', 'must not be empty'))
    .max(most, `must be at most ${most}`)
    .transform((names) => [...new Set(names)])

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 }

/** Seconds, or a duration such as 10m, as whole milliseconds. */
export const durationOf = (minSeconds: number, maxSeconds: number) =>
  z
    .union([z.number(), z.string()], { error: 'must be a number of seconds, or a duration such as 30s, 10m, 4h or 7d' })
    .transform((value, check) => {
      const seconds = typeof value === 'number' ? value : secondsOf(value)
      if (Number.isNaN(seconds)) {
        check.addIssue({
          code: 'custom',
          message: 'must be a number of seconds, or a duration such as 30s, 10m, 4h or 7d',
        })
      } else if (seconds < minSeconds || seconds > maxSeconds) {
        check.addIssue({ code: 'custom', message: `must be ${minSeconds} to ${maxSeconds} seconds` })
      }
      return Math.round(seconds * 1_000)
    })

function secondsOf(text: string): number {
  const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$/.exec(text) ?? []
  return count && unit ? Number(count) * unitSeconds[unit]! : Number.NaN
}

/** A time of the day. */
export const wallClock = z
  .string({ error: 'must be a time such as "09:00"' })
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as "09:00"')

/** 1 Monday … 7 Sunday; 0 is Sunday too. */
export const weekdays = z
  .array(
    z
      .number()
      .int('must be 1 (Monday) to 7 (Sunday)')
      .min(0, 'must be 1 (Monday) to 7 (Sunday)')
      .max(7, 'must be 1 (Monday) to 7 (Sunday)'),
  )
  .min(1, 'must not be empty')
  .max(8, 'must be at most 7')
