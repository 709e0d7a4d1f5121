import { type Place, placeKey, type Really } from '../../domain/dry-run/tally.ts'
import type { Addressee } from '../../pipeline/enrich/resolve-recipients.ts'
import type { Queryable } from '../../platform/db.ts'
import { findPlanned, findPlannedFor, type PlannedRow } from '../../store/replay.ts'

/** Of a longer story only so many are read as a whole; the others are looked for one by one. */
const mostNamed = 200

const keyOfRow = ({ intent_id, rule_id, recipient_id }: PlannedRow) =>
  placeKey({ intentId: intent_id, ruleId: rule_id ?? undefined, recipientId: recipient_id })

export const keyOfAddressee = ({ intent, wanted, recipient }: Addressee): Place => ({
  intentId: intent.id,
  ruleId: wanted.rule?.id,
  recipientId: recipient.id,
})

/** What was really let through of some intents, by their ids; with a rule, by that rule. */
export async function loadReally(
  on: Queryable,
  tenantId: string,
  intents: readonly { id: string }[],
  ruleId: string | undefined,
  wasThere: boolean,
): Promise<Map<string, Really>> {
  const really = new Map<string, Really>()
  if (ruleId !== undefined && !wasThere) return really
  const ids = intents.map(({ id }) => id)
  for await (const part of findPlanned(on, tenantId, ids, ruleId, mostNamed)) {
    for (const [intentId, rows] of Map.groupBy(part, ({ intent_id }) => intent_id)) {
      const ofIntent = really.get(intentId) ?? { total: 0, named: new Map() }
      ofIntent.total += rows[0]!.total
      for (const row of rows.slice(0, mostNamed - ofIntent.named.size)) ofIntent.named.set(keyOfRow(row), row.id)
      really.set(intentId, ofIntent)
    }
  }
  return really
}

/** Finds the notification that was really let through in the place of one that is decided. */
export async function reallyOf(
  on: Queryable,
  tenantId: string,
  addressees: readonly Addressee[],
  really: ReadonlyMap<string, Really>,
): Promise<(addressee: Addressee) => string | undefined> {
  const sought = addressees.map(keyOfAddressee).filter((place) => {
    const ofIntent = really.get(place.intentId)
    return ofIntent !== undefined && ofIntent.total > ofIntent.named.size && !ofIntent.named.has(placeKey(place))
  })
  const rows = await findPlannedFor(
    on,
    tenantId,
    sought.map(({ intentId, ruleId, recipientId }) => {
      return { intent_id: intentId, rule_id: ruleId ?? null, recipient_id: recipientId }
    }),
  )
  const found = new Map(rows.map((row) => [keyOfRow(row), row.id]))
  return (addressee) => {
    const place = keyOfAddressee(addressee)
    const key = placeKey(place)
    return really.get(place.intentId)?.named.get(key) ?? found.get(key)
  }
}
