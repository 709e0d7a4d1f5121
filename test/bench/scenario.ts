import type { TestKafka } from '../support/kafka-broker.ts'
import type { Costs } from './costs.ts'
import type { BenchOptions } from './options.ts'
import type { Progress } from './progress.ts'
import type { DatabaseServer } from './servers.ts'
import type { Percentiles } from './statistics.ts'

export interface ScenarioContext {
  options: BenchOptions
  server: DatabaseServer
  /** Undefined with --no-kafka. */
  kafka?: () => Promise<TestKafka>
  progress: Progress
}

/** A line of the table; `name` says which part of the scenario it is. */
export interface TableLine {
  name: string
  perSecond?: number | null
  unit?: string
  spread?: { least: number; most: number }
  p50Ms?: number
  p95Ms?: number
  p99Ms?: number
  remark?: string
}

/** What a scenario gives: `perSecond` is what the table compares; everything else is told beside it. */
export interface ScenarioResult {
  /** What the figure counts: notifications, intents, jobs … */
  unit: string
  /** null: it is not about a rate, or was not measured; the remark says which. */
  perSecond: number | null
  /** Least and most of the rounds; absent where there was one. */
  spread?: { least: number; most: number }
  p50Ms?: number
  p95Ms?: number
  p99Ms?: number
  /** One line for the reader of the table. */
  remark: string
  /** Further lines of the table, below its own. */
  more?: TableLine[]
  /** What a notification cost in the scenario's phases; lines of the second table. */
  costs?: Record<string, Costs>
  /** Cores that were busy with something else meanwhile. */
  othersCores?: number
  /** Anything here fails the run. */
  faults?: string[]
  [detail: string]: unknown
}

/** The line for the times until the provider was called, of the phase whose times to the end stand in the scenario's own. */
export const untilProvider = ({ p50Ms, p95Ms, p99Ms }: Omit<Percentiles, 'maxMs'>, remark = ''): TableLine => ({
  name: 'until the provider',
  p50Ms,
  p95Ms,
  p99Ms,
  remark,
})

export type Scenario = (context: ScenarioContext) => Promise<ScenarioResult>

export function spreadIfMany(
  rounds: number,
  spread: { least: number; most: number },
): { least: number; most: number } | undefined {
  return rounds > 1 ? { least: spread.least, most: spread.most } : undefined
}
