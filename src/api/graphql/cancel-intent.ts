import { isId } from '../../domain/ids.ts'
import { asTenants } from '../../platform/db.ts'
import { cancelPlanned, markCancelled } from '../../store/intents.ts'
import { builder } from './builder.ts'
import { type ApiServices, requireScope } from './context.ts'
import { fault } from './errors.ts'

/** Notifications that one transaction cancels: an intent may have hundreds of thousands. */
const pageSize = 1_000

builder.mutationField('cancelIntent', (t) =>
  t.int({
    description: `Cancels what of a request or a business event has not left: what is scheduled, not planned yet, queued, snoozed, held as a
fallback, to be tried again, or waiting in a digest. What is at a provider at this moment stays. Gives the number of notifications that were
stopped altogether; a role, a group or an event that was not expanded yet counts as one. A second time it is 0.`,
    args: { id: t.arg.id({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'send')
      return cancelIntent(context.services, context.principal.tenantId, args.id.toLowerCase())
    },
  }),
)

/** First nothing more is planned; then what was planned until then is cancelled, page by page. Broken off, it can be called again. */
export async function cancelIntent(
  on: Pick<ApiServices, 'pool' | 'clock' | 'ids'>,
  tenantId: string,
  id: string,
): Promise<number> {
  const unknown = fault('NOT_FOUND', 'there is no such intent', { path: ['id'] })
  if (!isId(id) || !id.endsWith('00000000')) throw unknown
  const unplanned = await asTenants(on.pool, [tenantId], (trx) =>
    markCancelled(trx, tenantId, id, on.ids, on.clock.now()),
  )
  if (unplanned === undefined) throw unknown
  let count = unplanned
  for (let after = id; ; ) {
    const page = { intentId: id, after, limit: pageSize }
    const { last, stopped } = await asTenants(on.pool, [tenantId], (trx) =>
      cancelPlanned(trx, tenantId, page, on.ids, on.clock.now()),
    )
    count += stopped
    if (last === undefined) return count
    after = last
  }
}
