import { type Costs, parts } from './costs.ts'
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

const costHeads = ['µs of CPU a notification', 'all', ...parts, 'WAL bytes', 'commits']

/** The tables as Markdown that a terminal can show as well: docs/performance.md takes them as they are. */
export function markdownTable(scenarios: Report['scenarios'], ratios: Ratios): string {
  const rows = Object.entries(scenarios).flatMap(([name, result]) => [
    cellsOf({ ...result, name: `\`${name}\`` }, othersOf(result)),
    ...(result.more ?? []).map((line) => cellsOf({ ...line, name: `… ${line.name}` }, '')),
  ])
  const lines = [
    ...aligned(heads, rows),
    '',
    'others: cores that were busy with something else meanwhile; above 0.1 the figures are not to be quoted',
  ]
  const costs = costRows(scenarios)
  if (costs.length > 0) lines.push('', ...aligned(costHeads, costs))
  const against = sayRatios(ratios)
  if (against.length > 0) lines.push('', ...against)
  return lines.join('\n')
}

function aligned(heads: readonly string[], rows: readonly string[][]): string[] {
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => row[column]!.length)))
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [lineOf(heads), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(lineOf)]
}

function costRows(scenarios: Report['scenarios']): string[][] {
  return Object.entries(scenarios).flatMap(([name, { costs = {} }]) =>
    Object.entries(costs).map(([phase, { cpuMicros, walBytes, commits }]: [string, Costs]) => [
      `\`${name}\` ${phase}`,
      ...(['all', ...parts] as const).map((part) => cpuMicros[part]?.toFixed(0) ?? ''),
      `${walBytes}`,
      `${commits}`,
    ]),
  )
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
