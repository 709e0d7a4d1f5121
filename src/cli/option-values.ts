import { InvalidArgumentError } from 'commander'
import { type Channel, channels } from '../domain/channel.ts'
import { priorities } from '../domain/priority.ts'
import { systemClock } from '../platform/clock.ts'
import { type ApiKeyScope, apiKeyScopes } from '../store/api-keys.ts'

/* What options take. Each throws InvalidArgumentError, which commander puts behind the option's name. */

export function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new InvalidArgumentError('It must be a UUID.')
}

export function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // told below, with what it must be
  }
  throw new InvalidArgumentError('It must be a JSON object, as {"name": "value"}.')
}

export function scopeList(text: string): ApiKeyScope[] {
  return listOf(text, apiKeyScopes, (item) => item.toLowerCase())
}

/** May be said several times, and with commas; in the words of the API or of SQL. */
export function channelList(text: string, before: Channel[] = []): Channel[] {
  return [...new Set([...before, ...listOf(text, channels, (item) => item.toLowerCase())])]
}

export function priorityName(text: string): string {
  return listOf(text, Object.keys(priorities), (item) => item.toUpperCase())[0]!
}

export function moment(text: string): string {
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at.toISOString()
  throw new InvalidArgumentError('It must be a time such as 2026-12-24T18:00:00Z.')
}

export function seconds(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number of seconds.')
}

const unitsMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds. */
export function duration(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  if (count && unit) return Number(count) * unitsMs[unit]!
  throw new InvalidArgumentError('It must be a duration such as 30s, 10m, 36h or 7d.')
}

/** A time, or how long ago. */
export function momentOrAgo(text: string): Date {
  if (/^[\d.]+[a-z]+$/.test(text)) return new Date(systemClock.now().getTime() - duration(text))
  return new Date(moment(text))
}

export function eventsPerSecond(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a whole number of events a second.')
}

/** May be said several times, and with commas. */
export function names(text: string, before: string[] = []): string[] {
  return [...new Set([...before, ...text.split(',').map((name) => name.trim())])]
}

export function count(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0 && value <= 10_000) return value
  throw new InvalidArgumentError('It must be a number from 1 to 10000.')
}

export function fileFormat(text: string): 'csv' | 'ndjson' {
  return listOf(text, ['csv', 'ndjson'] as const, (item) => item.toLowerCase())[0]!
}

function listOf<T extends string>(text: string, known: readonly T[], normalize: (item: string) => string): T[] {
  const items = text.split(',').map((item) => normalize(item.trim()))
  const wrong = items.find((item) => !(known as readonly string[]).includes(item))
  if (wrong !== undefined) throw new InvalidArgumentError(`It must be among ${known.join(', ')}.`)
  return items as T[]
}
