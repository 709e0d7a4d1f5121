import { type ClosedPhase, closedPhase, type OpenPhase, openPhase } from '../phases.ts'
import { withRig } from '../rig.ts'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { withClient } from '../seed.ts'
import { spreadOf } from '../statistics.ts'
import { readDeadTuples } from '../table-health.ts'
import { bulkLoop, latencies, saidIfNotSustained, startOf, warmUpSeconds } from './pipeline.ts'

/**
 * The pipeline while somebody's transaction keeps an old snapshot open, as a backup or a forgotten psql does: no dead
 * row can go, neither of the deliveries nor of the jobs.
 */
export async function heldSnapshot(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const { rate, requestSize } = options
  const seconds = options.quick ? Math.max(1, Math.floor(options.seconds / 2)) : options.seconds
  return withRig(context, 'held-snapshot', {}, (rig) =>
    withClient(rig.databaseUrl, async (holder) => {
      await holder.query('begin isolation level repeatable read')
      await holder.query('select from carillon.tenants')
      const generator = rig.startGenerator()
      await rig.aim(generator, options.transport)
      progress.begin('held-snapshot: warming up')
      await closedPhase(rig, generator, { ...bulkLoop, seconds: warmUpSeconds })
      const closed: ClosedPhase[] = []
      const open: OpenPhase[] = []
      for (let round = 1; round <= options.rounds; round++) {
        progress.begin(`held-snapshot: as fast as it goes, round ${round} of ${options.rounds}`)
        closed.push(await closedPhase(rig, generator, { ...bulkLoop, seconds }))
        progress.begin(`held-snapshot: ${rate}/s, round ${round} of ${options.rounds}`)
        open.push(await openPhase(rig, generator, { rate, seconds, requestSize }))
      }
      const deadTuples = await readDeadTuples(rig.client)
      await holder.query('commit')
      const { faults, told } = await rig.reconcile()
      const spread = spreadOf(closed.map(({ perSecond }) => perSecond))
      const atRate = latencies(open)
      return {
        unit: 'notifications',
        perSecond: Math.round(spread.median),
        spread: spreadIfMany(options.rounds, spread),
        ...atRate,
        deadTuples,
        costs: { latency: open.at(-1)!.costs, 'closed loop': closed.at(-1)!.costs },
        remark: `closed loop; times at ${rate}/s${saidIfNotSustained(atRate)}; ${deadTuples} dead rows kept`,
        more: [startOf(atRate)],
        ...told,
        faults,
      }
    }),
  )
}
