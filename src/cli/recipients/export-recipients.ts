import type { RecipientPage, RecipientRow } from '../../store/recipients.ts'

const pageSize = 1_000

/** The recipients that are loaded, in order, as lines that an import takes, a page at a time. */
export async function* exportRecipients(
  load: (page: RecipientPage) => Promise<RecipientRow[]>,
  filters: { role?: string; group?: string },
): AsyncGenerator<string> {
  for (let after: string | undefined; ; ) {
    const rows = await load({ ...filters, after, forward: true, limit: pageSize })
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(toLine(row))}\n`).join('')
    if (rows.length < pageSize) return
    after = rows.at(-1)!.external_id
  }
}

/** Invalid addresses are left out: wherever it is imported, they would be used again. */
function toLine(row: RecipientRow): Record<string, unknown> {
  const { name, locale, timezone, enabled, roles, groups, attributes } = row
  return {
    id: row.external_id,
    name,
    locale,
    timezone,
    enabled,
    roles,
    groups,
    attributes,
    contactPoints: row.contact_points
      .filter(({ invalid_at }) => invalid_at === null)
      .toSorted((one, other) => one.position - other.position)
      .map(({ channel, address, device_id, verified_at }) => ({
        channel,
        address,
        ...(device_id !== null && { deviceId: device_id }),
        ...(verified_at !== null && { verified: true }),
      })),
  }
}
