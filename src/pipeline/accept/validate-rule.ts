import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import { compileRule, type RulePart } from '../../domain/compile-rule.ts'
import { priorities } from '../../domain/priority.ts'
import type { Rule } from '../../domain/rule.ts'
import type { InputFault } from './input-fault.ts'
import { namesOf } from './rule-json.ts'
import { recipientSelector } from './rule-selector.ts'
import { absentLeftOut, digestOf, maxWindowSeconds, ruleGroup, ruleSchedule, scheduleOf } from './rule-timing.ts'
import { aLine, anyText, told } from './text-rules.ts'
import { channelsLimit, dateTime, faultsOf, jsonObject, optionalText, orAbsent, timezone } from './validate-fields.ts'

const maxTypes = 500
const maxVarsBytes = 65_536
const maxBatchSize = 10_000

const typePattern = z
  .string()
  .regex(
    /^(?:\*|[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}(?:\.\*)?)$/,
    'must be a type, a beginning of types with ".*" behind it, or "*"',
  )
  .refine((pattern) => pattern.length <= 200, 'must be at most 200 characters')

const channelList = z.custom<Channel[]>().superRefine((value, check) => {
  if (value.length > channelsLimit) check.addIssue({ code: 'custom', message: `must be at most ${channelsLimit}` })
})
const distinct = (list: Channel[] | undefined) => list && [...new Set(list)]
const wholeFrom = (min: number, max: number) =>
  orAbsent(
    z
      .number()
      .int(`must be ${min} to ${max}`)
      .min(min, `must be ${min} to ${max}`)
      .max(max, `must be ${min} to ${max}`),
  )

const ruleInput = z.object({
  name: told(aLine(200)).refine((name) => name.trim() !== '', 'must not be empty'),
  description: optionalText(0, 2_000),
  eventPattern: told(anyText(0, 4_096)),
  domains: orAbsent(namesOf(200, maxTypes)),
  eventTypes: orAbsent(z.array(typePattern).max(maxTypes, `must be at most ${maxTypes}`)),
  priority: z.custom<number>().nullish(),
  category: optionalText(1, 200),
  channels: channelList.refine((value) => value.length > 0, 'must not be empty'),
  fallbackChannels: orAbsent(channelList),
  recipientSelector,
  schedule: orAbsent(ruleSchedule),
  timezone: orAbsent(timezone),
  batchWindow: wholeFrom(1, maxWindowSeconds),
  batchSize: wholeFrom(1, maxBatchSize),
  batchSliding: orAbsent(z.boolean()),
  batchLongestWait: wholeFrom(1, maxWindowSeconds),
  batchKey: optionalText(1, 4_096),
  digestTemplate: optionalText(1, 200),
  group: orAbsent(ruleGroup),
  template: optionalText(1, 200),
  templateVars: orAbsent(
    jsonObject.refine(
      (value) => Buffer.byteLength(JSON.stringify(value) ?? '') <= maxVarsBytes,
      `must be at most ${maxVarsBytes} bytes`,
    ),
  ),
  enabled: orAbsent(z.boolean()),
  validFrom: orAbsent(dateTime),
  validUntil: orAbsent(dateTime),
})

export type NewRule = Omit<Rule, 'id' | 'version'>

export type ValidatedRule = { ok: true; rule: NewRule } | { ok: false; faults: InputFault[] }

/**
 * Judges a RuleInput that GraphQL or a file has coerced, and makes a rule of it; every expression of it compiles. `path` is
 * where the input stands in the request.
 */
export function validateRule(input: unknown, path: readonly string[]): ValidatedRule {
  const parsed = ruleInput.safeParse(input)
  if (!parsed.success) return { ok: false, faults: faultsOf(parsed.error, path) }
  const said = parsed.data
  const { digest, fault } = digestOf(said, said.schedule, said.timezone)
  if (fault) return { ok: false, faults: [{ path: [...path, fault.field], message: fault.message }] }
  const refuse = (field: keyof typeof said, message: string): ValidatedRule => {
    return { ok: false, faults: [{ path: [...path, field], message }] }
  }
  if (digest && said.group) return refuse('group', 'and digests exclude each other')
  if (said.validFrom && said.validUntil && said.validUntil <= said.validFrom) {
    return refuse('validUntil', 'must be after validFrom')
  }
  const rule: NewRule = absentLeftOut({
    name: said.name,
    description: said.description,
    eventPattern: said.eventPattern.trim() === '' ? '' : said.eventPattern,
    domains: notEmpty(said.domains),
    eventTypes: notEmpty(said.eventTypes),
    priority: said.priority ?? priorities.NORMAL,
    category: said.category,
    channels: distinct(said.channels)!,
    fallbackChannels: notEmpty(distinct(said.fallbackChannels)),
    selector: said.recipientSelector,
    schedule: scheduleOf(said.schedule, said.timezone),
    digest,
    batchKey: said.batchKey,
    group: said.group,
    template: said.template,
    templateVars: said.templateVars,
    enabled: said.enabled ?? true,
    validFrom: said.validFrom,
    validUntil: said.validUntil,
  })
  const { broken } = compileRule({ ...rule, id: '', version: 0 })
  if (broken.length === 0) return { ok: true, rule }
  const faults = broken.map(({ part, message, line, column }) => {
    const where = line > 1 ? `line ${line}, column ${column}` : `column ${column}`
    return { path: [...path, ...pathOf(part)], message: `is at fault in ${where}: ${message}`, line, column }
  })
  return { ok: false, faults }
}

const notEmpty = <T>(list: readonly T[] | undefined) => (list && list.length > 0 ? [...list] : undefined)

const pathOf = (part: RulePart): string[] => part.split('.')
