import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  stringify,
} from 'yaml'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import type { NewRule } from '../../pipeline/accept/validate-rule.ts'
import { CommandError } from '../exit-codes.ts'
import { formOfRule, ruleOfForm } from './rule-form.ts'

export interface RuleInFile {
  rule: NewRule
  file: string
  line: number
  /** Whether the file holds no other. */
  alone: boolean
}

const maxFaultsTold = 50

/** A rule as the text of a file. */
export const yamlOfRule = (rule: NewRule): string => stringify(formOfRule(rule), { lineWidth: 110 })

export const yamlOfRules = (rules: readonly NewRule[]): string =>
  stringify({ rules: rules.map(formOfRule) }, { lineWidth: 110 })

/**
 * Reads the rules of a file, or of all .yaml and .yml files of a folder and those below it. A file holds a rule, a list of
 * rules, or `rules:` with a list, in any number of documents. Throws a CommandError that names every fault, by file and line.
 */
export async function readRuleFiles(path: string): Promise<RuleInFile[]> {
  const files = await filesOf(path)
  const found: RuleInFile[] = []
  const faults: string[] = []
  for (const file of files) {
    const lines = new LineCounter()
    const documents = parseAllDocuments(await readFile(file, 'utf8'), { lineCounter: lines, uniqueKeys: true })
    const inFile: RuleInFile[] = []
    for (const document of 'empty' in documents ? [] : documents) {
      const [error] = document.errors
      if (error) {
        faults.push(`${file}:${lines.linePos(error.pos[0]).line} is not YAML: ${error.message.split('\n')[0]}`)
        continue
      }
      readDocument(document, { file, lines, inFile, faults })
    }
    for (const rule of inFile) found.push({ ...rule, alone: inFile.length === 1 })
  }
  faults.push(...doubles(found))
  if (faults.length === 0) return found
  const told = faults.slice(0, maxFaultsTold)
  if (faults.length > told.length) told.push(`… and ${faults.length - told.length} more`)
  throw new CommandError('RULES_INVALID', told.join('\n'))
}

async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new CommandError('NO_RULES', `there is no file or folder ${path}`)
  if (found.isFile()) return [path]
  const names = await readdir(path, { recursive: true })
  return names
    .filter((name) => /\.ya?ml$/i.test(name))
    .sort()
    .map((name) => join(path, name))
}

interface Reading {
  file: string
  lines: LineCounter
  inFile: RuleInFile[]
  faults: string[]
}

function readDocument(document: Document, { file, lines, inFile, faults }: Reading): void {
  const lineOf = (node: unknown) => (isNode(node) && node.range ? lines.linePos(node.range[0]).line : 1)
  const top = document.contents
  if (top === null) return
  const listed = isMap(top) && top.has('rules') ? top.get('rules', true) : top
  for (const node of isSeq(listed) ? listed.items : [listed]) {
    if (!isMap(node)) {
      faults.push(`${file}:${lineOf(node)} must be a rule, or a list of rules`)
      continue
    }
    let form: Record<string, unknown>
    try {
      form = node.toJS(document, { maxAliasCount: 100 }) as Record<string, unknown>
    } catch (error) {
      faults.push(`${file}:${lineOf(node)} cannot be read: ${error instanceof Error ? error.message : 'too large'}`)
      continue
    }
    const judged = ruleOfForm(form)
    if (judged.ok) inFile.push({ rule: judged.rule, file, line: lineOf(node), alone: false })
    else {
      const called = typeof form.name === 'string' ? ` (${form.name})` : ''
      for (const fault of judged.faults) {
        faults.push(`${file}:${lineOf(nodeAt(node, fault))}${called}: ${fault.path.join('.')} ${fault.message}`)
      }
    }
  }
}

/** The deepest node on the way to a fault. */
function nodeAt(rule: Node, { path }: InputFault): unknown {
  let node: unknown = rule
  for (const key of path) {
    if (!isCollection(node)) return node
    const next = node.get(isSeq(node) ? Number(key) : key, true)
    if (next === undefined) return node
    node = next
  }
  return node
}

function doubles(found: readonly RuleInFile[]): string[] {
  const first = new Map<string, RuleInFile>()
  return found.flatMap((one) => {
    const before = first.get(one.rule.name)
    if (!before) first.set(one.rule.name, one)
    return before ? [`${one.file}:${one.line} (${one.rule.name}): is in ${before.file}:${before.line} already`] : []
  })
}
