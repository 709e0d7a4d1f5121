import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { priorityName } from '../../domain/priority.ts'
import { camelKeys } from '../../pipeline/accept/rule-json.ts'
import { selectorJson } from '../../pipeline/accept/rule-selector.ts'
import { groupJson, scheduleJson } from '../../pipeline/accept/rule-timing.ts'
import type { NewRule } from '../../pipeline/accept/validate-rule.ts'
import { CommandError } from '../exit-codes.ts'
import { readRuleFiles } from '../rules/rule-files.ts'

/** The rule of a file as a RuleInput of the API. A file may hold others; then `name` says which. */
export async function readRuleInput(path: string, name: string | undefined): Promise<Record<string, unknown>> {
  const found = await readRuleFiles(path)
  const wanted = name === undefined ? found : found.filter(({ rule }) => rule.name === name)
  const [only] = wanted
  if (only && wanted.length === 1) return ruleInput(only.rule)
  const names = found.map(({ rule }) => rule.name).join(', ')
  throw new CommandError(
    'NO_RULE',
    only
      ? `${path} has several rules: say which with --name (${names})`
      : `${path} has no rule${name === undefined ? '' : ` "${name}" (${names})`}`,
  )
}

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000)
const upper = (words: readonly string[] | undefined) => words?.map((word) => word.toUpperCase())

/** A rule as the API takes it. */
export function ruleInput(rule: NewRule): Record<string, unknown> {
  return {
    name: rule.name,
    description: rule.description,
    eventPattern: rule.eventPattern,
    domains: rule.domains,
    eventTypes: rule.eventTypes,
    priority: priorityName(rule.priority),
    category: rule.category,
    channels: upper(rule.channels),
    fallbackChannels: upper(rule.fallbackChannels),
    recipientSelector: selectorJson(rule.selector),
    schedule: scheduleJson(rule) ?? undefined,
    batchWindow: seconds(rule.digest?.windowMs),
    batchSize: rule.digest?.size,
    batchSliding: rule.digest?.sliding,
    batchLongestWait: seconds(rule.digest?.longestMs),
    batchKey: rule.batchKey,
    digestTemplate: rule.digest?.template,
    group: groupJson(rule.group) ?? undefined,
    template: rule.template,
    templateVars: rule.templateVars,
    enabled: rule.enabled,
    validFrom: rule.validFrom?.toISOString(),
    validUntil: rule.validUntil?.toISOString(),
  }
}

/** Preference defaults from YAML or JSON. Our own names may have underscores; those of categories and types are the author's. */
export async function readPreferenceDefaults(path: string): Promise<Record<string, unknown>> {
  const said = camelKeys(await readYaml(path))
  if (typeof said !== 'object' || said === null || Array.isArray(said)) {
    throw new CommandError('DEFAULTS_INVALID', `${path} must hold the preferences by their names, as quiet_hours: …`)
  }
  const defaults: Record<string, unknown> = { ...said }
  if (defaults.quietHours !== undefined) defaults.quietHours = camelKeys(defaults.quietHours)
  for (const name of ['categories', 'eventTypes']) {
    const members = defaults[name]
    if (typeof members !== 'object' || members === null) continue
    defaults[name] = Object.fromEntries(Object.entries(members).map(([key, member]) => [key, camelKeys(member)]))
  }
  return defaults
}

/** Limits from YAML or JSON: one, a list, or `limits:` with a list. */
export async function readLimits(path: string): Promise<unknown[]> {
  const said = await readYaml(path)
  const listed = typeof said === 'object' && said !== null && 'limits' in said ? said.limits : said
  return (Array.isArray(listed) ? listed : [listed]).map(camelKeys)
}

async function readYaml(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CommandError('NO_FILE', `there is no file ${path}`)
  })
  try {
    return parse(text, { maxAliasCount: 100 })
  } catch (error) {
    const [line] = error instanceof Error ? error.message.split('\n') : []
    throw new CommandError('NOT_YAML', `${path} is not YAML: ${line}`)
  }
}
