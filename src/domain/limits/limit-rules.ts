import { z } from 'zod'
import { channels } from '../channel.ts'
import type { Limit } from '../limit.ts'

/** A limit without the id that its counts go by. */
export type NewLimit = Omit<Limit, 'id'>

export interface LimitFault {
  path: string[]
  message: string
}

export const maxWindowSeconds = 366 * 86_400
const greatestMax = 1_000_000_000

const absent = <Schema extends z.ZodType>(schema: Schema) => schema.nullish().transform((value) => value ?? undefined)
const isLine = (text: string) => text.isWellFormed() && !/\p{Cc}/u.test(text)
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine(isLine, 'must be one line of text')
const word = <Word extends string>(words: readonly Word[]) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase() : value),
    z.enum(words, `must be one of ${words.join(', ')}`),
  )
const whole = (most: number) => {
  const message = `must be a whole number from 1 to ${most}`
  return z.number(message).int(message).min(1, message).max(most, message)
}

const rulesFor = (scopes: readonly Limit['scope'][]) =>
  z
    .strictObject({
      name: line(100),
      scope: word(scopes),
      category: absent(line(100)),
      channel: absent(word(channels)),
      max: whole(greatestMax),
      windowSeconds: absent(whole(maxWindowSeconds)),
      calendar: absent(word(['day', 'month'] as const)),
      onExcess: absent(word(['snooze', 'suppress'] as const)),
      allowCritical: absent(z.boolean('must be true or false')),
    })
    .superRefine(({ windowSeconds, calendar }, check) => {
      if (windowSeconds === undefined && calendar === undefined) {
        check.addIssue({ code: 'custom', path: ['windowSeconds'], message: 'must be given, or else calendar' })
      } else if (windowSeconds !== undefined && calendar !== undefined) {
        check.addIssue({ code: 'custom', path: ['calendar'], message: 'must not be given beside a window' })
      }
    })

const ofTenants = rulesFor(['user', 'tenant'])
const ofOperators = rulesFor(['user', 'tenant', 'system'])

/**
 * Judges a limit as the API, the command line and dry-run are given it: {name, scope, category, channel, max, windowSeconds
 * or calendar, onExcess, allowCritical}. Only an operator limits the installation as a whole.
 */
export function judgeLimit(
  input: unknown,
  by: 'tenant' | 'operator' = 'tenant',
): { limit: NewLimit; faults?: undefined } | { faults: LimitFault[]; limit?: undefined } {
  const judged = (by === 'operator' ? ofOperators : ofTenants).safeParse(input)
  if (!judged.success) {
    return { faults: judged.error.issues.map(({ path, message }) => ({ path: path.map(String), message })) }
  }
  const { windowSeconds, calendar, allowCritical, category, channel, onExcess, ...rest } = judged.data
  return {
    limit: {
      ...rest,
      ...(category !== undefined ? { category } : {}),
      ...(channel !== undefined ? { channel } : {}),
      ...(onExcess !== undefined ? { onExcess } : {}),
      window: calendar !== undefined ? { calendar } : { seconds: windowSeconds! },
      allowCritical: allowCritical ?? false,
    },
  }
}
