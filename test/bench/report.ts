import type { Machine } from './machine.ts'
import type { BenchOptions, ScenarioName } from './options.ts'
import type { ScenarioResult } from './scenario.ts'

export interface Report {
  machine: Machine
  versions: Record<string, unknown>
  options: BenchOptions
  startedAt: string
  tookSeconds: number
  scenarios: Partial<Record<ScenarioName, ScenarioResult>>
  /** Our whole way of a notification for each of theirs: above 1 we are the faster one. */
  ratios: Ratios
}

export interface Ratios {
  pgBoss?: number
  graphileWorker?: number
  copyFloor?: number
}

export function ratiosOf(scenarios: Report['scenarios']): Ratios {
  const ours = scenarios.pipeline?.perSecond
  const over = (theirs: ScenarioResult | undefined) =>
    ours === undefined || theirs === undefined ? undefined : Math.round((ours / theirs.perSecond) * 1_000) / 1_000
  return {
    pgBoss: over(scenarios['pg-boss']),
    graphileWorker: over(scenarios['graphile-worker']),
    copyFloor: over(scenarios['copy-floor']),
  }
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

export function table(scenarios: Report['scenarios'], ratios: Ratios): string {
  const rows = [['scenario', 'per second', 'p50', 'p95', 'p99', 'others', '']]
  for (const [name, result] of Object.entries(scenarios)) {
    const { perSecond, unit, spread, p50Ms, p95Ms, p99Ms, remark, startP50Ms, startP99Ms } = result
    const between = spread ? ` [${spread.least}–${spread.most}]` : ''
    const others = typeof result.othersCores === 'number' ? result.othersCores.toFixed(2) : ''
    rows.push([name, `${perSecond} ${unit}${between}`, ms(p50Ms), ms(p95Ms), ms(p99Ms), others, remark])
    if (typeof startP50Ms === 'number') {
      rows.push([
        '  until the provider',
        '',
        ms(startP50Ms),
        ms(result.startP95Ms),
        ms(startP99Ms),
        '',
        'of the same phase',
      ])
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  lines.splice(1, 0, '-'.repeat(Math.max(...lines.map((line) => line.length))))
  lines.push(
    '',
    'others: cores that were busy with something else meanwhile; above 0.1 the figures are not to be quoted',
  )
  const against = [
    ['pg-boss no-op jobs', ratios.pgBoss],
    ['graphile-worker no-op jobs', ratios.graphileWorker],
    ['the COPY floor', ratios.copyFloor],
  ].flatMap(([name, ratio]) => (ratio === undefined ? [] : [`${ratio} x ${name}`]))
  if (against.length > 0) lines.push('', `our whole pipeline, in notifications: ${against.join(', ')}`)
  return lines.join('\n')
}

const ms = (value: unknown): string => (typeof value === 'number' ? `${value} ms` : '')
