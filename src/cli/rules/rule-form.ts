import { z } from 'zod'
import { type Channel, channels } from '../../domain/channel.ts'
import { priorities, priorityName } from '../../domain/priority.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { camelKeys } from '../../pipeline/accept/rule-json.ts'
import { selectorJson } from '../../pipeline/accept/rule-selector.ts'
import { groupJson, scheduleJson } from '../../pipeline/accept/rule-timing.ts'
import { type NewRule, type ValidatedRule, validateRule } from '../../pipeline/accept/validate-rule.ts'

/** What a field of a file is called in a RuleInput, in the order in which files are written. */
const inputNames = {
  name: 'name',
  description: 'description',
  event_pattern: 'eventPattern',
  domains: 'domains',
  event_types: 'eventTypes',
  priority: 'priority',
  category: 'category',
  channels: 'channels',
  fallback: 'fallbackChannels',
  recipients: 'recipientSelector',
  schedule: 'schedule',
  timezone: 'timezone',
  batch_window: 'batchWindow',
  batch_size: 'batchSize',
  batch_sliding: 'batchSliding',
  batch_longest_wait: 'batchLongestWait',
  batch_key: 'batchKey',
  digest_template: 'digestTemplate',
  group: 'group',
  template: 'template',
  vars: 'templateVars',
  enabled: 'enabled',
  valid_from: 'validFrom',
  valid_until: 'validUntil',
} as const

type FormField = keyof typeof inputNames

/** The words of the API are as good as those of the files. */
const otherNames: Record<string, FormField> = {
  fallback_channels: 'fallback',
  recipient_selector: 'recipients',
  template_vars: 'vars',
}
const formNames = new Map(Object.entries(inputNames).map(([form, input]) => [input as string, form as FormField]))

const lower = (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : value)
const channelList = z.preprocess(
  (value) => (Array.isArray(value) ? value.map(lower) : typeof value === 'string' ? [lower(value)] : value),
  z.array(z.enum(channels, { error: `must be among ${channels.join(', ')}` }), 'must be a list of channels'),
)
const list = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(z.string('must be text'), 'must be a list'),
)
const text = z.string('must be text')
const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }
const notSeconds = 'must be seconds, or a duration such as 30s, 10m, 4h or 7d'
const seconds = z
  .union([z.number(), z.string()], notSeconds)
  .refine((value) => typeof value === 'number' || /^\d+[smhd]$/.test(value), notSeconds)
  .transform((value) => (typeof value === 'number' ? value : Number(value.slice(0, -1)) * unitSeconds[value.at(-1)!]!))
const priority = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z
    .enum(Object.keys(priorities) as (keyof typeof priorities)[], `must be among ${Object.keys(priorities).join(', ')}`)
    .transform((name) => priorities[name]),
)
/** A day alone is its beginning in UTC. */
const moment = text.transform((value) => (/^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value))

const readers: Partial<Record<FormField, z.ZodType>> = {
  name: text,
  description: text,
  event_pattern: text,
  domains: list,
  event_types: list,
  priority,
  category: text,
  channels: channelList,
  fallback: channelList,
  timezone: text,
  batch_window: seconds,
  batch_size: z.number('must be a number'),
  batch_sliding: z.boolean('must be true or false'),
  batch_longest_wait: seconds,
  batch_key: text,
  digest_template: text,
  template: text,
  enabled: z.boolean('must be true or false'),
  valid_from: moment,
  valid_until: moment,
}
const needed: FormField[] = ['name', 'channels', 'recipients']

/** Makes a rule of what a file says. Faults name the fields as the file does. */
export function ruleOfForm(form: Readonly<Record<string, unknown>>): ValidatedRule {
  const faults: InputFault[] = []
  const input: Record<string, unknown> = { eventPattern: '' }
  for (const [key, value] of Object.entries(form)) {
    const field = (otherNames[key] ?? key) as FormField
    if (!Object.hasOwn(inputNames, field)) {
      faults.push({ path: [key], message: `is no field of a rule: there are ${Object.keys(inputNames).join(', ')}` })
      continue
    }
    if (value === null || value === undefined) continue
    const read = readers[field]?.safeParse(value)
    if (read?.success === false) {
      for (const { path, message } of read.error.issues) faults.push({ path: [key, ...path.map(String)], message })
    } else {
      input[inputNames[field]] = field === 'recipients' ? merged(value) : (read?.data ?? value)
    }
  }
  for (const field of needed) {
    const isSaid = Object.keys(form).some((key) => (otherNames[key] ?? key) === field && form[key] !== null)
    if (!isSaid) faults.push({ path: [field], message: 'is needed' })
  }
  if (faults.length > 0) return { ok: false, faults }
  const judged = validateRule(input, [])
  if (judged.ok) return judged
  const renamed = judged.faults.map((fault) => {
    const [field = '', ...rest] = fault.path
    return { ...fault, path: [formNames.get(field) ?? field, ...rest.map(snakeCase)] }
  })
  return { ok: false, faults: renamed }
}

/** Several selectors in a list name all that each of them does. */
function merged(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  if (value.length === 1) return value[0]
  const all: Record<string, unknown> = {}
  for (const selector of value) {
    const said = camelKeys(selector)
    if (typeof said !== 'object' || said === null) return value
    for (const [key, member] of Object.entries(said)) {
      const before = all[key]
      if (key === 'type') continue
      all[key] = Array.isArray(before) && Array.isArray(member) ? [...before, ...member] : member
    }
  }
  return all
}

/** A rule as a file says it; what is absent is not in it. */
export function formOfRule(rule: NewRule): Record<string, unknown> {
  const said: Record<FormField, unknown> = {
    name: rule.name,
    description: rule.description,
    event_pattern: rule.eventPattern === '' ? undefined : rule.eventPattern,
    domains: rule.domains,
    event_types: rule.eventTypes,
    priority: priorityName(rule.priority).toLowerCase(),
    category: rule.category,
    channels: rule.channels satisfies readonly Channel[],
    fallback: rule.fallbackChannels,
    recipients: snakeKeys(selectorJson(rule.selector)),
    schedule: snakeKeys(scheduleJson(rule)),
    timezone: undefined, // stands in the schedule
    batch_window: secondsOf(rule.digest?.windowMs),
    batch_size: rule.digest?.size,
    batch_sliding: rule.digest?.sliding,
    batch_longest_wait: secondsOf(rule.digest?.longestMs),
    batch_key: rule.batchKey,
    digest_template: rule.digest?.template,
    group: snakeKeys(groupJson(rule.group)),
    template: rule.template,
    vars: inOrder(rule.templateVars),
    enabled: rule.enabled ? undefined : false,
    valid_from: rule.validFrom?.toISOString(),
    valid_until: rule.validUntil?.toISOString(),
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null))
}

const secondsOf = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000)

const snakeCase = (key: string) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The order of what stands in fields; jsonb has one of its own. */
const order = ['type', 'channel', 'address', 'user_ids', 'roles', 'groups', 'expression', 'addresses']
order.push('delay', 'local_time', 'timezone', 'send_window', 'start_time', 'end_time', 'days', 'cron', 'rrule')
const placeOf = (key: string) => (order.includes(key) ? order.indexOf(key) : order.length)

/** Of our own fields; what is in them is data, or objects of ours. */
function snakeKeys(value: object | null): unknown {
  return value === null ? undefined : inOrder(value, snakeCase)
}

function inOrder(value: unknown, keyOf = (key: string) => key): unknown {
  if (Array.isArray(value)) return value.map((member) => inOrder(member, keyOf))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(([key, member]): [string, unknown] => [keyOf(key), inOrder(member, keyOf)])
  return Object.fromEntries(members.sort(([a], [b]) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1)))
}
