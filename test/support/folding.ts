/** Notifications that are planned and folded, as the pipeline would. */
import type { Fold } from '../../src/domain/digest.ts'
import { notificationId } from '../../src/domain/ids.ts'
import { type Folding, foldMembers } from '../../src/pipeline/plan/fold-members.ts'
import { inTransaction, type Queryable } from '../../src/platform/db.ts'
import type { World } from './world.ts'

export type { Folding } from '../../src/pipeline/plan/fold-members.ts'

export interface Told {
  recipient?: string
  event?: string
  fold?: Fold
  type?: string
  data?: Record<string, unknown>
  said?: Partial<Folding['said']>
  timezone?: string
}

export const minuteMs = 60_000
export const windowed: Fold = { key: 'rule:1', policy: { windowMs: 10 * minuteMs } }

export function folding(world: World, told: Told = {}): Folding {
  const { recipient = 'ann', type = 'order.shipped', event = world.ids.id(), data = { event }, fold = windowed } = told
  return {
    notificationId: notificationId(world.ids.intentId(), 1),
    eventRef: event,
    recipientId: recipient,
    recipient: { type: 'user', id: recipient },
    timezone: told.timezone,
    fold,
    item: { type, data, at: world.clock.now().toISOString() },
    said: { type, priority: 1, channels: ['email'], subject: `About ${event}`, body: `It is ${event}.`, ...told.said },
    story: { recipient_id: recipient, type },
  }
}

export async function planNotifications(
  on: Queryable,
  world: World,
  members: readonly Folding[],
): Promise<Set<string>> {
  const { rows } = await on.query<{ id: string }>({
    text: `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback,
        scheduled_at, created_at)
      select $1, r.id, 'user', r.recipient, r.type, 1, '{email}', false, $2, $2
      from unnest($3::uuid[], $4::text[], $5::text[]) as r (id, recipient, type)
      on conflict do nothing returning id`,
    values: [
      world.tenant,
      world.clock.now(),
      members.map(({ notificationId }) => notificationId),
      members.map(({ recipientId }) => recipientId),
      members.map(({ item }) => item.type),
    ],
  })
  return new Set(rows.map(({ id }) => id))
}

/** Plans and folds in one transaction; what was planned before is left out, as planning does. */
export function planFolded(world: World, members: readonly Folding[], pool = world.worker): Promise<void> {
  return inTransaction(pool, async (trx) => {
    const planned = await planNotifications(trx, world, members)
    const fresh = members.filter(({ notificationId }) => planned.has(notificationId))
    await foldMembers(trx, world.tenant, fresh, world.ids, world.clock.now())
  })
}

export interface DigestLook {
  id: string
  recipient_id: string
  key: string
  state: string
  count: number
  closes_at: Date
  longest_at: Date | null
  opened_at: Date
  flushed_at: Date | null
  close_reason: string | null
  folded: number | null
  intent_id: string | null
}

export const digestsOf = (world: World, recipient: string) =>
  world.rows<DigestLook>('select * from carillon.digests where tenant_id = $1 and recipient_id = $2 order by id', [
    world.tenant,
    recipient,
  ])

export const membersOf = (world: World, digestId: string) =>
  world.rows<{ event_ref: string; notification_ids: string[]; resolved: boolean; flushed_at: Date | null }>(
    'select * from carillon.digest_members where tenant_id = $1 and digest_id = $2 order by event_ref',
    [world.tenant, digestId],
  )
