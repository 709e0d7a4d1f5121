import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { systemClock } from '../../platform/clock.ts'
import { inTransaction } from '../../platform/db.ts'
import { createIdSource } from '../../platform/id-source.ts'
import { definitionOf, deleteRules, loadRules, lockRules, saveRules } from '../../store/rules.ts'
import { findTemplatesByName } from '../../store/templates.ts'
import { tenantExists } from '../../store/tenants.ts'
import { withWorkerPool } from '../database.ts'
import { noTenant } from '../keys.ts'
import { tenantOf } from '../templates.ts'
import { shade, type Terminal } from '../terminal.ts'
import { compareRules, type RuleChange } from './compare-rules.ts'
import { type RuleInFile, readRuleFiles, yamlOfRule, yamlOfRules } from './rule-files.ts'

export interface TenantOption {
  tenant?: string
}

export interface PushOptions extends TenantOption {
  dryRun?: boolean
  prune?: boolean
}

/** Makes the rules what the files say, or only tells what would change. */
export async function pushRules(terminal: Terminal, options: PushOptions, path: string): Promise<RuleChange[]> {
  const inFiles = await readRuleFiles(path)
  const tenantId = await tenantOf(options.tenant)
  const rules = inFiles.map(({ rule }) => rule)
  return withWorkerPool(async (pool) => {
    if (!(await tenantExists(pool, tenantId))) throw noTenant(tenantId)
    const changes = await inTransaction(pool, async (trx) => {
      const found = compareRules(rules, await lockRules(trx, tenantId), options.prune === true)
      if (!options.dryRun) await write(trx, tenantId, found)
      return found
    })
    tell(terminal, changes, options.dryRun === true)
    await remarkOnTemplates(terminal, pool, tenantId, inFiles)
    return changes
  })
}

async function write(trx: pg.PoolClient, tenantId: string, changes: readonly RuleChange[]): Promise<void> {
  const ids = createIdSource(systemClock)
  const now = systemClock.now()
  const deleted = changes.flatMap(({ kind, id }) => (kind === 'deleted' && id ? [id] : []))
  await deleteRules(trx, tenantId, deleted, now)
  const toSave = changes
    .filter(({ kind }) => kind === 'new' || kind === 'changed')
    .map(({ id, rule }) => {
      return { id: id ?? ids.id(), name: rule!.name, enabled: rule!.enabled, definition: definitionOf(rule!) }
    })
  await saveRules(trx, tenantId, toSave, 'cli', now)
}

/** Whether a push does anything of it. */
export const isChange = ({ kind }: RuleChange) => kind === 'new' || kind === 'changed' || kind === 'deleted'

const signs = { new: '+', changed: '~', deleted: '-' } as const
const shades = { '+': 'green', '-': 'red', ' ': 'dim' } as const

function tell(terminal: Terminal, changes: readonly RuleChange[], dryRun: boolean): void {
  terminal.document({
    written: !dryRun,
    changes: changes
      .filter(({ kind }) => kind !== 'same')
      .map(({ name, kind, lines }) => ({ name, kind, diff: lines.map(({ mark, text }) => mark + text) })),
    same: changes.filter(({ kind }) => kind === 'same').length,
  })
  for (const { name, kind, lines } of changes) {
    if (kind === 'same' || kind === 'only there') continue
    terminal.line(shade('bold', `${signs[kind]} ${name}`))
    for (const { mark, text } of lines) terminal.line(shade(shades[mark], `  ${mark} ${text}`))
    terminal.line()
  }
  const count = (wanted: RuleChange['kind']) => changes.filter(({ kind }) => kind === wanted).length
  const parts = (['new', 'changed', 'deleted', 'same', 'only there'] as const)
    .filter((kind) => count(kind) > 0)
    .map((kind) =>
      kind === 'only there' ? `${count(kind)} in no file (left; --prune deletes)` : `${count(kind)} ${kind}`,
    )
  terminal.line(`${dryRun ? 'Would be: ' : ''}${parts.join(', ') || 'no rules'}`)
}

/** A rule may come before its template, and it may be a slip of the pen. */
async function remarkOnTemplates(
  terminal: Terminal,
  pool: pg.Pool,
  tenantId: string,
  inFiles: readonly RuleInFile[],
): Promise<void> {
  const named = [...new Set(inFiles.flatMap(({ rule }) => [rule.template ?? [], rule.digest?.template ?? []].flat()))]
  const there = new Set((await findTemplatesByName(pool, tenantId, named)).map(({ name }) => name))
  const missing = named.filter((name) => !there.has(name))
  if (missing.length > 0) terminal.remark(`there is no template ${missing.join(', ')} yet`)
}

/** Writes the rules as files. */
export async function pullRules(terminal: Terminal, options: TenantOption, path: string): Promise<void> {
  const tenantId = await tenantOf(options.tenant)
  const rules = (await withWorkerPool((pool) => loadRules(pool, tenantId))).sort((a, b) => (a.name < b.name ? -1 : 1))
  if (path === '-') {
    terminal.document(rules)
    terminal.line(yamlOfRules(rules).trimEnd())
    return
  }
  const files = /\.ya?ml$/i.test(path)
    ? new Map([[path, yamlOfRules(rules)]])
    : await filesInFolder(
        path,
        rules.map((rule) => ({ name: rule.name, text: yamlOfRule(rule) })),
      )
  for (const [file, text] of files) await writeFile(file, text)
  terminal.document({ rules: rules.length, written: [...files.keys()] })
  for (const file of files.keys()) terminal.line(file)
  terminal.line(`${rules.length} rules, ${files.size} files written`)
}

/** Which files are to be written. One that says the same already stays, with the comments in it. */
async function filesInFolder(
  folder: string,
  rules: readonly { name: string; text: string }[],
): Promise<Map<string, string>> {
  await mkdir(folder, { recursive: true })
  const there = new Map((await readRuleFiles(folder)).map((one) => [one.rule.name, one]))
  const files = new Map<string, string>()
  for (const { name, text } of rules) {
    const known = there.get(name)
    if (known && yamlOfRule(known.rule) === text) continue
    const file = known?.alone ? known.file : await freeFile(folder, name, files)
    files.set(file, text)
  }
  return files
}

async function freeFile(folder: string, name: string, taken: ReadonlyMap<string, string>): Promise<string> {
  const stem =
    name
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
      .slice(0, 80) || 'rule'
  for (let suffix = 1; ; suffix++) {
    const file = join(folder, `${stem}${suffix === 1 ? '' : `-${suffix}`}.yaml`)
    if (!taken.has(file) && !(await stat(file).catch(() => undefined))) return file
  }
}
