import type { Machine } from './machine.ts'
import type { BenchOptions } from './options.ts'
import { type Ratios, sayRatios } from './ratios.ts'
import type { ScenarioResult, TableLine } from './scenario.ts'
import type { ScenarioName } from './scenarios.ts'

export interface Report {
  machine: Machine
  versions: Record<string, unknown>
  options: BenchOptions
  startedAt: string
  tookSeconds: number
  scenarios: Partial<Record<ScenarioName, ScenarioResult>>
  ratios: Ratios
}

export function describeSetting({
  machine,
  versions,
  options,
}: Pick<Report, 'machine' | 'versions' | 'options'>): string {
  const { cores, cpu, memoryGiB, system, loadBefore } = machine
  const lines = [
    `machine   ${cores} cores, ${cpu}, ${memoryGiB} GiB, ${system}, load ${loadBefore} before the run`,
    `versions  ${Object.entries(versions)
      .filter(([, version]) => typeof version === 'string')
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `postgres  ${Object.entries(versions.postgresSettings as Record<string, string>)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
    `phases    ${options.seconds} s, ${options.rounds} ${options.rounds === 1 ? 'round' : 'rounds; medians, and least to most in brackets'}`,
  ]
  if (!options.kafka) lines.push('relay     OFF: --no-kafka. Not comparable with a run that has it on.')
  return lines.join('\n')
}

const heads = ['scenario', 'per second', 'p50', 'p95', 'p99', 'others', '']

/** The table as Markdown that a terminal can show as well: docs/performance.md takes it as it is. */
export function markdownTable(scenarios: Report['scenarios'], ratios: Ratios): string {
  const rows = Object.entries(scenarios).flatMap(([name, result]) => [
    cellsOf({ ...result, name: `\`${name}\`` }, othersOf(result)),
    ...linesOf(result).map((line) => cellsOf({ ...line, name: `… ${line.name}` }, '')),
  ])
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => row[column]!.length)))
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const lines = [lineOf(heads), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(lineOf)]
  lines.push(
    '',
    'others: cores that were busy with something else meanwhile; above 0.1 the figures are not to be quoted',
  )
  const against = sayRatios(ratios)
  if (against.length > 0) lines.push('', ...against)
  return lines.join('\n')
}

function linesOf(result: ScenarioResult): TableLine[] {
  const { startP50Ms: p50Ms, startP95Ms: p95Ms, startP99Ms: p99Ms, more = [] } = result
  if (typeof p50Ms !== 'number' || typeof p95Ms !== 'number' || typeof p99Ms !== 'number') return more
  return [{ name: 'until the provider', p50Ms, p95Ms, p99Ms, remark: 'of the same phase' }, ...more]
}

function cellsOf(line: TableLine, others: string): string[] {
  const between = line.spread ? ` [${line.spread.least}–${line.spread.most}]` : ''
  const rate = typeof line.perSecond === 'number' ? `${line.perSecond} ${line.unit ?? ''}`.trim() + between : ''
  return [line.name, rate, ms(line.p50Ms), ms(line.p95Ms), ms(line.p99Ms), others, line.remark ?? '']
}

const othersOf = ({ othersCores }: ScenarioResult): string => othersCores?.toFixed(2) ?? ''

/** For the line of progress: the rate, if there is one. */
export const rateOf = ({ perSecond, unit }: ScenarioResult): string =>
  perSecond === null ? '' : `${perSecond} ${unit}/s; `

const ms = (value: number | undefined): string => (value === undefined || Number.isNaN(value) ? '' : `${value} ms`)
