import type { Costs } from '../costs.ts'
import { closedPhase } from '../phases.ts'
import { withRig } from '../rig.ts'
import type { ScenarioContext, ScenarioResult } from '../scenario.ts'
import { seed } from '../seed.ts'
import { tenths } from '../statistics.ts'
import { copyNotifications, learnRows, openCopyPool } from './copied-rows.ts'
import { bulkLoop, warmUpSeconds } from './pipeline.ts'

interface Stage {
  stored: number
  perSecond: number
  costs: Costs
}

/** What a notification costs when there are as many of the same day already. */
export async function growth(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress, server } = context
  const sizes = options.quick ? [0, 100_000] : [0, 1_000_000, 10_000_000]
  progress.begin('growth: the rows of a notification')
  const sample = await server.fresh('migrated')
  const template = await learnFrom(sample.url).finally(() => sample.drop())
  // Without a broker: the copied rows have events, and the relay would be busy with them.
  return withRig({ ...context, kafka: undefined }, 'growth', {}, async (rig) => {
    const generator = rig.startGenerator()
    await rig.aim(generator, options.transport)
    progress.begin('growth: warming up')
    await closedPhase(rig, generator, { ...bulkLoop, seconds: warmUpSeconds })
    const pool = openCopyPool(rig.databaseUrl)
    const stages: Stage[] = []
    try {
      let stored = 0
      for (const size of sizes) {
        progress.begin(`growth: storing ${size}`)
        await copyNotifications(pool, template, size - stored, (written) => progress.show(`${stored + written}`))
        stored = size
        await rig.client.query('checkpoint')
        progress.begin(`growth: with ${size} stored`)
        const { perSecond, costs } = await closedPhase(rig, generator, { ...bulkLoop, seconds: options.seconds })
        stages.push({ stored: size, perSecond: Math.round(perSecond), costs })
      }
    } finally {
      await pool.end()
    }
    const largest = stages.at(-1)!
    return {
      unit: 'notifications',
      perSecond: largest.perSecond,
      costs: Object.fromEntries(stages.map(({ stored, costs }) => [`${stored} stored`, costs])),
      stages,
      remark: `closed loop, no relay; ${stages.map(({ stored, perSecond }) => `${perSecond}/s with ${stored}`).join(', ')} of the day stored`,
      slower: tenths((1 - largest.perSecond / stages[0]!.perSecond) * 100),
    }
  })
}

async function learnFrom(databaseUrl: string) {
  await seed(databaseUrl)
  return learnRows(databaseUrl)
}
