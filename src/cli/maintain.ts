import { Command } from 'commander'
import { readConfig } from '../config/config.ts'
import { expireLimitCounts } from '../maintenance/limit-counts.ts'
import { expireParkedMessages } from '../maintenance/parked-messages.ts'
import { maintainPartitions } from '../maintenance/partitions.ts'
import { systemClock } from '../platform/clock.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { findDatabase, requireMigrated, withPool } from './database.ts'

export function maintainCommand(context: CommandContext): Command {
  const command = new Command('maintain').description(
    'Make the partitions ahead and drop what is past its retention. Workers do it every hour by themselves.',
  )
  return speaking(command, context, async (terminal) => {
    const config = readConfig()
    const databaseUrl = await findDatabase(config)
    terminal.progress('maintaining partitions')
    await requireMigrated(databaseUrl)
    const settings = await context.app.maintenanceSettings(config)
    const report = await withPool(databaseUrl, 'carillon_worker', async (pool) => ({
      ...(await maintainPartitions(pool, settings, systemClock.now())),
      expired: await expireParkedMessages(pool, config.RETENTION_PARKED_DAYS, systemClock.now()),
      idleCounts: await expireLimitCounts(pool, systemClock.now()),
    }))
    terminal.endProgress()
    terminal.document(report)
    for (const name of report.made) terminal.line(`made     ${name}`)
    for (const name of report.dropped) terminal.line(`dropped  ${name}`)
    for (const { partition, because } of report.kept) terminal.line(`kept     ${partition}: ${because}`)
    if (report.expired > 0) terminal.line(`expired  ${report.expired} parked messages`)
    if (report.idleCounts > 0) terminal.line(`dropped  ${report.idleCounts} counts of limits`)
    terminal.line(
      `${report.made.length} made, ${report.dropped.length} dropped, ${report.kept.length} kept past their time.`,
    )
  })
}
