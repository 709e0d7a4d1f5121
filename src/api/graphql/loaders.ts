import type pg from 'pg'
import { intentIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { Clock } from '../../platform/clock.ts'
import { type DeliveryRow, findDeliveries } from '../../store/deliveries.ts'
import { type DeliveryAttemptRow, findAttempts } from '../../store/delivery-attempts.ts'
import { findInboxItems, type InboxItemRow } from '../../store/inbox-items.ts'
import { findIntents, type IntentRow } from '../../store/intents.ts'
import { findNotifications } from '../../store/notifications.ts'
import { findRuleFaults, type RuleFaultRow } from '../../store/rule-pages.ts'
import { findRuleVersions, type RuleVersionRow } from '../../store/rules.ts'
import { findTemplatesByName, type TemplateRow } from '../../store/templates.ts'
import { createBatch, createTenantReader } from './batch.ts'
import { type NotificationView, viewOfIntent, viewOfRow } from './notification-view.ts'

/** Batched reads of one tenant: a constant number of statements for a page, however many notifications are on it. */
export interface Loaders {
  /** Planned or not; undefined: there is none of that id. */
  notification(id: string): Promise<NotificationView | undefined>
  deliveries(notificationId: string): Promise<DeliveryRow[]>
  attempts(notificationId: string): Promise<DeliveryAttemptRow[]>
  intent(intentId: string): Promise<IntentRow | undefined>
  inboxItem(notification: { id: string; recipientId: string }): Promise<InboxItemRow | undefined>
  template(name: string): Promise<TemplateRow | undefined>
  ruleVersion(named: { id: string; version: number }): Promise<RuleVersionRow | undefined>
  ruleFaults(ruleId: string): Promise<RuleFaultRow | undefined>
}

export function createLoaders(pool: pg.Pool, tenantId: string, clock: Clock): Loaders {
  const read = createTenantReader(pool, tenantId)
  const itself = (key: string) => key
  const deliveries = createBatch<string, DeliveryRow[]>(itself, async (ids) => {
    const rows = await read((trx) => findDeliveries(trx, tenantId, ids))
    return Map.groupBy(rows, (row) => notificationIdOf(row.id))
  })
  const attempts = createBatch<string, DeliveryAttemptRow[]>(itself, async (ids) => {
    const rows = await read((trx) => findAttempts(trx, tenantId, ids))
    return Map.groupBy(rows, (row) => notificationIdOf(row.delivery_id))
  })
  return {
    notification: createBatch(itself, (ids) => read((trx) => findViews(trx, tenantId, ids, clock.now()))),
    deliveries: async (id) => (await deliveries(id)) ?? [],
    attempts: async (id) => (await attempts(id)) ?? [],
    intent: createBatch(itself, async (ids) => {
      const rows = await read((trx) => findIntents(trx, tenantId, ids))
      return new Map(rows.map((row) => [row.id, row]))
    }),
    inboxItem: createBatch(
      ({ id }) => id,
      async (keys) => {
        const rows = await read((trx) => findInboxItems(trx, tenantId, keys))
        return new Map(rows.map((row) => [notificationIdOf(row.id), row]))
      },
    ),
    template: createBatch(itself, async (names) => {
      const rows = await read((trx) => findTemplatesByName(trx, tenantId, names))
      return new Map(rows.map((row) => [row.name, row]))
    }),
    ruleVersion: createBatch(
      ({ id, version }) => `${id}/${version}`,
      async (named) => {
        const rows = await read((trx) => findRuleVersions(trx, tenantId, named))
        return new Map(rows.map((row) => [`${row.id}/${row.version}`, row]))
      },
    ),
    ruleFaults: createBatch(itself, async (ids) => {
      const rows = await read((trx) => findRuleFaults(trx, tenantId, ids))
      return new Map(rows.map((row) => [row.rule_id, row]))
    }),
  }
}

/** Notifications by id; those without a row yet are told from their intents. Two statements at most. */
export async function findViews(
  trx: pg.PoolClient,
  tenantId: string,
  ids: readonly string[],
  now: Date,
): Promise<Map<string, NotificationView>> {
  const rows = await findNotifications(trx, tenantId, ids)
  const views = new Map(rows.map((row) => [row.id, viewOfRow(row)]))
  const unplanned = ids.filter((id) => !views.has(id))
  const intents = await findIntents(trx, tenantId, [...new Set(unplanned.map(intentIdOf))])
  const byId = new Map(intents.map((intent) => [intent.id, intent]))
  for (const id of unplanned) {
    const intent = byId.get(intentIdOf(id))
    const view = intent && viewOfIntent(tenantId, intent, id, now)
    if (view) views.set(id, view)
  }
  return views
}
