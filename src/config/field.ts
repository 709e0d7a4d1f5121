import { z } from 'zod'
import { channels } from '../domain/channel.ts'

/** How a value is read from its environment variable, and what the manual says of it. */
export interface Field<T> {
  parse: z.ZodType<T>
  default?: T
  help: string
  secret?: boolean
}

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
export const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((value) => value === 'true' || value === '1')
export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)
export const channelList = list.pipe(z.array(z.enum(channels, { error: `must be among ${channels.join(', ')}` })))
export const urlOf = (...schemes: string[]) =>
  z.string().refine(
    (value) => {
      const url = URL.canParse(value) ? new URL(value) : undefined
      return url !== undefined && schemes.includes(url.protocol.slice(0, -1)) && isDecodable(url)
    },
    `must be a URL with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  )
/** A user or a password with a stray percent sign is found out here, and not by whoever logs in with it. */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}
const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const toMs = (text: string): number => {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim())
  return match ? Number(match[1]) * durationUnits[match[2] as keyof typeof durationUnits] : Number.NaN
}
export const durationMs = (min: string, max: string) =>
  z
    .string()
    .regex(/^\s*\d+(ms|s|m|h|d)\s*$/, 'must be a duration such as 250ms, 30s, 5m, 2h or 1d')
    .transform(toMs)
    .pipe(z.number().min(toMs(min), `must be at least ${min}`).max(toMs(max), `must be at most ${max}`))
export const durationsMs = list.pipe(z.array(durationMs('1ms', '30d')).max(20))
export const field = <T>(spec: Field<T>): Field<T> => spec
