import { Command } from 'commander'
import { systemClock } from '../../platform/clock.ts'
import { eraseSubjectKey } from '../../store/subject-keys.ts'
import { tenantExists } from '../../store/tenants.ts'
import { type CommandContext, speaking } from '../command-context.ts'
import { withWorkerPool } from '../database.ts'
import { noTenant } from '../keys.ts'
import { uuid } from '../option-values.ts'

export function eraseCommand(context: CommandContext): Command {
  const command = new Command('erase')
    .description('Make all that was published of a person unreadable (FEED_PII=encrypted), by forgetting the data key.')
    .requiredOption('--tenant <uuid>', 'whose recipient it is', uuid)
    .requiredOption('--recipient <id>', 'the recipient’s id, as recipient_id has it in the feed')
    .addHelpText(
      'after',
      `
What happened until now is not published with addresses or content again, by no replay either. What happens later gets
a new key. The rows in Postgres stay until their retention ends.`,
    )
  return speaking<{ tenant: string; recipient: string }, []>(command, context, async (terminal, options) => {
    const { tenant, recipient } = options
    await withWorkerPool(async (pool) => {
      if (!(await tenantExists(pool, tenant))) throw noTenant(tenant)
      await eraseSubjectKey(pool, { tenantId: tenant, recipientId: recipient }, systemClock.now())
    })
    terminal.document({ tenantId: tenant, recipientId: recipient, erased: true })
    terminal.line(`what the feed says of ${recipient} cannot be read any more`)
  })
}
