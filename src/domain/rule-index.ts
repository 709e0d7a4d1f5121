import { type CompiledRule, compileRule } from './compile-rule.ts'
import type { Rule } from './rule.ts'

/** The rules of a tenant, compiled and indexed. */
export interface CompiledRules {
  /** All of them, those that are switched off too, in their order. */
  all: readonly CompiledRule[]
  get(id: string): CompiledRule | undefined
  /** Rules that are on and whose types and domains an event has, in their order. */
  candidates(event: { type: string; domain: string }): readonly CompiledRule[]
}

/** Kinds of events that are remembered with their rules; a tenant has some hundred. */
const maxKinds = 10_000

export const noRules: CompiledRules = { all: [], get: () => undefined, candidates: () => [] }

/** Compiles and indexes rules; versions that `before` holds are not compiled again. */
export function compileRules(rules: readonly Rule[], before: CompiledRules = noRules): CompiledRules {
  const all = rules.map((rule) => {
    const known = before.get(rule.id)
    return known?.rule.version === rule.version ? known : compileRule(rule)
  })
  const byId = new Map(all.map((compiled) => [compiled.rule.id, compiled]))
  const find = indexRules(all.filter(({ rule }) => rule.enabled))
  const known = new Map<string, readonly CompiledRule[]>()
  return {
    all,
    get: (id) => byId.get(id),
    candidates({ type, domain }) {
      const kind = `${domain}\n${type}`
      let found = known.get(kind)
      if (!found) {
        found = find(type, domain)
        if (known.size >= maxKinds) known.clear()
        known.set(kind, found)
      }
      return found
    },
  }
}

/** Whether an event of this type is one of a rule's; a pattern is a type, or a beginning of types with `*` behind it. */
export function coversEvent(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}

/**
 * Rules by what they can be found by: exact types, beginnings of types, domains, or nothing. A rule stands in one place for
 * each of its types, else in one for each of its domains; where it lists none, by what its condition says of them.
 */
function indexRules(rules: readonly CompiledRule[]): (type: string, domain: string) => CompiledRule[] {
  const places = new Map<string, number[]>()
  const put = (key: string, place: number) => {
    const there = places.get(key)
    if (there) there.push(place)
    else places.set(key, [place])
  }
  rules.forEach(({ rule, narrowing, broken }, place) => {
    const said = broken.length > 0 ? {} : narrowing // a broken rule tells of itself on every event
    const types = rule.eventTypes ?? said.types
    const domains = rule.domains ?? said.domains
    if (types) for (const pattern of new Set(types)) put(`type ${pattern}`, place)
    else if (domains) for (const domain of new Set(domains)) put(`domain ${domain}`, place)
    else put('type *', place)
  })
  return (type, domain) => {
    const keys = ['type *', `type ${type}`, `domain ${domain}`]
    for (let dot = type.indexOf('.'); dot >= 0; dot = type.indexOf('.', dot + 1)) {
      keys.push(`type ${type.slice(0, dot)}.*`)
    }
    const found = [...new Set(keys.flatMap((key) => places.get(key) ?? []))].sort((a, b) => a - b)
    return found
      .map((place) => rules[place]!)
      .filter(({ rule: { domains = [] } }) => domains.length === 0 || domains.includes(domain))
  }
}
