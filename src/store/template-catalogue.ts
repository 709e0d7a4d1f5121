import { z } from 'zod'
import { type Channel, channels } from '../domain/channel.ts'
import type { Clock } from '../platform/clock.ts'
import type { Queryable } from '../platform/db.ts'

/** What a template says on one channel; in-app items call the subject a title. */
const partSchema = z
  .object({
    subject: z.string().optional(),
    title: z.string().optional(),
    body: z.string().optional(),
    body_html: z.string().optional(),
  })
  .transform(({ title, subject, ...rest }) => ({ ...rest, subject: subject ?? title }))

export type TemplatePart = z.output<typeof partSchema>

const partsSchema = z.partialRecord(z.enum(channels), partSchema)

export interface Template {
  tenantId: string
  name: string
  version: string
  channels: readonly Channel[]
  parts: Partial<Record<Channel, TemplatePart>>
}

export interface TemplateCatalogue {
  /** Makes sure that these templates are at hand and no older than a second; one statement at most. */
  load(tenantId: string, names: readonly string[]): Promise<void>
  /** A loaded template; undefined where there is none of that name, or it is switched off. */
  find(tenantId: string, name: string): Template | undefined
}

const freshForMs = 1_000

/** Templates by tenant and name, kept in memory for a second. `pool` acts for every tenant (role carillon_worker). */
export function createTemplateCatalogue(pool: Queryable, clock: Clock): TemplateCatalogue {
  const entries = new Map<string, { template: Template | undefined; loadedAt: number }>()
  const keyOf = (tenantId: string, name: string) => `${tenantId}/${name}`

  return {
    async load(tenantId, names) {
      const now = clock.now().getTime()
      const stale = [...new Set(names)].filter((name) => {
        const entry = entries.get(keyOf(tenantId, name))
        return entry === undefined || now - entry.loadedAt >= freshForMs || entry.loadedAt > now
      })
      if (stale.length === 0) return
      const { rows } = await pool.query<{ name: string; version: string; channels: unknown }>({
        name: 'templates/load',
        text: `select name, version, channels from carillon.templates
               where tenant_id = $1::uuid and name = any ($2::text[]) and enabled`,
        values: [tenantId, stale],
      })
      if (entries.size > 10_000) entries.clear()
      for (const name of stale) entries.set(keyOf(tenantId, name), { template: undefined, loadedAt: now })
      for (const row of rows) {
        const parsed = partsSchema.safeParse(row.channels)
        if (!parsed.success) continue // as if it were not there: its notifications fail by name, and nobody else's
        const parts = parsed.data
        const template = {
          tenantId,
          name: row.name,
          version: row.version,
          channels: Object.keys(parts) as Channel[],
          parts,
        }
        entries.set(keyOf(tenantId, row.name), { template, loadedAt: now })
      }
    },
    find: (tenantId, name) => entries.get(keyOf(tenantId, name))?.template,
  }
}
