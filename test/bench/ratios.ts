import type { ScenarioResult } from './scenario.ts'
import type { ScenarioName } from './scenarios.ts'

/** Our whole way of a notification for each of theirs: above 1 we are the faster one. null: one of the two was not measured. */
export interface Ratios {
  /** Over jobs that come a thousand a call, and that the peer may complete a thousand at once. */
  pgBoss: number | null
  graphileWorker: number | null
  bullmq: number | null
  copyFloor: number | null
  /** Over jobs that come one a call, with an outcome of their own each. */
  oneByOne: {
    pgBoss: number | null
    /** Sent one by one, and fetched and completed in batches with perJobResults. */
    pgBossInBatches: number | null
    graphileWorker: number | null
    bullmq: number | null
  }
}

type Results = Partial<Record<ScenarioName, ScenarioResult>>

export function ratiosOf(results: Results): Ratios {
  const ours = results.pipeline?.perSecond
  const over = (theirs: number | null | undefined) =>
    ours && theirs ? Math.round((ours / theirs) * 1_000) / 1_000 : null
  const all = (name: ScenarioName) => over(results[name]?.perSecond)
  const one = (name: ScenarioName, detail = 'oneByOne') =>
    over((results[name]?.[detail] as { perSecond?: number } | undefined)?.perSecond)
  return {
    pgBoss: all('pg-boss'),
    graphileWorker: all('graphile-worker'),
    bullmq: all('bullmq'),
    copyFloor: all('copy-floor'),
    oneByOne: {
      pgBoss: one('pg-boss'),
      pgBossInBatches: one('pg-boss', 'oneByOneInBatches'),
      graphileWorker: one('graphile-worker'),
      bullmq: one('bullmq'),
    },
  }
}

export function sayRatios({ oneByOne, ...inSets }: Ratios): string[] {
  const say = (ratios: [string, number | null][]) =>
    ratios.flatMap(([name, ratio]) => (ratio === null ? [] : [`${ratio} x ${name}`])).join(', ')
  const sets = say([
    ['pg-boss no-op jobs', inSets.pgBoss],
    ['graphile-worker no-op jobs', inSets.graphileWorker],
    ['BullMQ no-op jobs', inSets.bullmq],
    ['the COPY floor', inSets.copyFloor],
  ])
  const ones = say([
    ['pg-boss', oneByOne.pgBoss],
    ['pg-boss that completes in batches', oneByOne.pgBossInBatches],
    ['graphile-worker', oneByOne.graphileWorker],
    ['BullMQ', oneByOne.bullmq],
  ])
  return [
    ...(sets ? [`our whole pipeline, in notifications: ${sets}`] : []),
    ...(ones ? [`… over jobs that come and are done one by one: ${ones}`] : []),
  ]
}
