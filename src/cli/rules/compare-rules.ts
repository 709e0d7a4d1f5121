import type { NewRule } from '../../pipeline/accept/validate-rule.ts'
import { type RuleRow, ruleOf } from '../../store/rules.ts'
import { type DiffLine, diffLines } from './line-diff.ts'
import { yamlOfRule } from './rule-files.ts'

/** What a push would do with one rule. */
export interface RuleChange {
  name: string
  kind: 'new' | 'changed' | 'deleted' | 'only there' | 'same'
  /** Of the rule that is there; absent: a new one. */
  id?: string
  rule?: NewRule
  lines: DiffLine[]
}

/** Compares rules in files with those that are there, by their names. `prune`: what is only there is deleted. */
export function compareRules(inFiles: readonly NewRule[], there: readonly RuleRow[], prune: boolean): RuleChange[] {
  const byName = new Map(there.map((row) => [row.name, row]))
  const changes = inFiles.map((rule): RuleChange => {
    const row = byName.get(rule.name)
    byName.delete(rule.name)
    const after = yamlOfRule(rule)
    if (!row) return { name: rule.name, kind: 'new', rule, lines: all('+', after) }
    const before = yamlOfRule(ruleOf(row))
    if (before === after) return { name: rule.name, kind: 'same', id: row.id, rule, lines: [] }
    return { name: rule.name, kind: 'changed', id: row.id, rule, lines: diffLines(before.trimEnd(), after.trimEnd()) }
  })
  for (const row of byName.values()) {
    const lines = prune ? all('-', yamlOfRule(ruleOf(row))) : []
    changes.push({ name: row.name, kind: prune ? 'deleted' : 'only there', id: row.id, lines })
  }
  return changes.sort((a, b) => (a.name < b.name ? -1 : 1))
}

const all = (mark: '+' | '-', text: string): DiffLine[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => ({ mark, text: line }))
