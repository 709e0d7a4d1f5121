import type { GraphQLError } from 'graphql'
import type { Limit } from '../../domain/limit.ts'
import { judgeLimit } from '../../domain/limits/limit-rules.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { jsonObject, parseMoment } from '../../pipeline/accept/validate-fields.ts'
import { type NewRule, validateRule } from '../../pipeline/accept/validate-rule.ts'
import { validationFault } from '../graphql/errors.ts'
import { judgeZones } from '../graphql/preference-rules.ts'
import { isUuid } from '../graphql/uuid.ts'

/** What is tried, over which period. */
export interface Draft {
  rule?: NewRule
  /** The name of the rule that it stands in for. */
  replaces?: string
  /** A merge patch of the tenant's defaults; the database judges it. */
  preferenceDefaults?: object
  limits: readonly DraftLimit[]
  since: Date
  until: Date
  /** Goes on behind this intent. */
  after?: string
  sample: number
}

/** A limit as it shall be, or the name of one that there shall not be. */
export type DraftLimit = Limit | { name: string; remove: true }

export interface DraftInput {
  rule?: object | null
  replaces?: string | null
  preferenceDefaults?: unknown
  limits?: unknown
  since: string
  until?: string | null
  sample?: number | null
  after?: string | null
}

const mostExamples = 100
const mostLimits = 100

/** Judges a draft; throws a fault that names the field. */
export function judgeDraft(input: DraftInput, now: Date): Draft {
  const faults: InputFault[] = []
  const refuse = (field: string, message: string) => faults.push({ path: ['input', field], message })
  const moment = (field: string, text: string): Date => {
    const at = parseMoment(text)
    if (!at) refuse(field, 'is not a moment in ISO 8601 with an offset')
    return at ?? now
  }
  const since = moment('since', input.since)
  const until = input.until == null ? now : moment('until', input.until)
  if (faults.length === 0 && since >= until)
    refuse('since', input.until == null ? 'must be past' : 'must be before until')
  const sample = input.sample ?? 20
  if (sample < 0 || sample > mostExamples) refuse('sample', `must be 0 to ${mostExamples}`)
  if (input.replaces != null && input.rule == null) refuse('replaces', 'needs a rule')
  if (input.after != null && !isUuid(input.after)) refuse('after', 'must be what continueAfter gave')
  const rule = judgeRule(input.rule ?? undefined, faults)
  const limits = judgeLimits(input.limits ?? [], faults)
  const preferenceDefaults = judgeDefaults(input.preferenceDefaults ?? undefined, faults)
  if (faults.length > 0) throw validationFault(faults)
  const after = input.after ?? undefined
  return { rule, replaces: input.replaces ?? rule?.name, preferenceDefaults, limits, since, until, after, sample }
}

/** The whole past is asked as if the rule had always been there, and on. */
function judgeRule(input: object | undefined, faults: InputFault[]): NewRule | undefined {
  if (input === undefined) return undefined
  const judged = validateRule(input, ['input', 'rule'])
  if (judged.ok) return { ...judged.rule, enabled: true, validFrom: undefined, validUntil: undefined }
  faults.push(...judged.faults)
  return undefined
}

function judgeLimits(input: unknown, faults: InputFault[]): DraftLimit[] {
  const list: unknown[] = Array.isArray(input) ? input : [input]
  if (list.length > mostLimits) {
    faults.push({ path: ['input', 'limits'], message: `must be at most ${mostLimits}` })
    return []
  }
  const names = new Set<string>()
  return list.flatMap((one, place) => {
    const path = ['input', 'limits', String(place)]
    const judged = judgeDraftLimit(one, place)
    if ('faults' in judged) {
      for (const fault of judged.faults) faults.push({ path: [...path, ...fault.path], message: fault.message })
      return []
    }
    if (names.has(judged.name)) faults.push({ path: [...path, 'name'], message: 'is the name of another one' })
    names.add(judged.name)
    return [judged]
  })
}

function judgeDraftLimit(input: unknown, place: number): DraftLimit | { faults: InputFault[] } {
  if (typeof input !== 'object' || input === null) return { faults: [{ path: [], message: 'must be an object' }] }
  if ('remove' in input && input.remove === true) {
    const name = 'name' in input ? input.name : undefined
    if (typeof name === 'string' && name !== '') return { name, remove: true }
    return { faults: [{ path: ['name'], message: 'must be the name of the limit to remove' }] }
  }
  const { limit, faults } = judgeLimit(input)
  return faults ? { faults } : { ...limit, id: `draft-${place}` }
}

/** What of it is for the database to judge, it judges when the run begins. */
function judgeDefaults(input: unknown, faults: InputFault[]): object | undefined {
  if (input === undefined) return undefined
  const path = ['input', 'preferenceDefaults']
  const judged = jsonObject.safeParse(input)
  if (!judged.success) {
    faults.push(...judged.error.issues.map(({ message }) => ({ path, message })))
    return undefined
  }
  try {
    judgeZones(judged.data)
  } catch (error) {
    const told = (error as GraphQLError).extensions as { faults: InputFault[] }
    faults.push(...told.faults.map((fault) => ({ path: [...path, ...fault.path.slice(1)], message: fault.message })))
  }
  return judged.data
}
