import type { Category } from '../domain/category.ts'
import { type CompiledInhibition, compileInhibitions } from '../domain/inhibitions.ts'
import type { Limit } from '../domain/limit.ts'
import type { SaidPreferences } from '../domain/preferences.ts'
import { type CompiledRules, compileRules } from '../domain/rule-index.ts'
import { type CompiledSilence, compileSilences } from '../domain/silences.ts'
import type { Clock } from '../platform/clock.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'
import { loadCategories } from './categories.ts'
import { loadInhibitions } from './inhibitions.ts'
import { loadLimits } from './limits.ts'
import { loadDefaults } from './preferences.ts'
import { loadRules } from './rules.ts'
import { loadSilences } from './silences.ts'

/** All that a tenant has set for its decisions, as of one moment. */
export interface TenantSettings {
  /** Rises with each change. */
  version: string
  categories: ReadonlyMap<string, Category>
  defaults?: SaidPreferences
  rules: CompiledRules
  limits: readonly Limit[]
  alerts: {
    silences: readonly CompiledSilence[]
    inhibitions: readonly CompiledInhibition[]
  }
}

export interface SettingsCatalogue {
  /** The tenant's settings, half a second old at most. */
  of(tenantId: string): Promise<TenantSettings>
}

const freshForMs = 500
const maxTenants = 10_000

/** System-wide limits are settings of nobody. */
const versionSql: Statement = {
  name: 'tenant_settings_version',
  text: `select coalesce(sum(v.version), 0)::text as version from carillon.settings_versions v
  where v.tenant_id in ($1::uuid, '00000000-0000-0000-0000-000000000000')`,
}

interface Entry {
  settings: Promise<TenantSettings>
  /** By the clock of the process; a failed look is none. */
  lookedAt: number
}

/** Settings by tenant, kept in memory; while nothing changes one row is looked at. `on` acts for every tenant (role carillon_worker). */
export function createSettingsCatalogue(on: Queryable, clock: Clock): SettingsCatalogue {
  const entries = new Map<string, Entry>()

  async function look(tenantId: string, before: Promise<TenantSettings> | undefined): Promise<TenantSettings> {
    const known = await before?.catch(() => undefined) // its caller has heard of it
    const [row] = await run<{ version: string }>(on, versionSql, [tenantId])
    const version = row?.version ?? '0'
    if (known?.version === version) return known
    const [categories, defaults, rules, limits, silences, inhibitions] = await Promise.all([
      loadCategories(on, tenantId),
      loadDefaults(on, tenantId),
      loadRules(on, tenantId),
      loadLimits(on, tenantId),
      loadSilences(on, tenantId, clock.now()),
      loadInhibitions(on, tenantId),
    ])
    // What was changed meanwhile has a later version, and is loaded the next time.
    return {
      version,
      categories,
      defaults,
      rules: compileRules(rules, known?.rules),
      limits,
      alerts: {
        silences: compileSilences(silences),
        inhibitions: compileInhibitions(inhibitions),
      },
    }
  }

  return {
    of(tenantId) {
      const now = clock.now().getTime()
      const entry = entries.get(tenantId)
      if (entry && now - entry.lookedAt < freshForMs && now >= entry.lookedAt) return entry.settings
      if (!entry && entries.size >= maxTenants) entries.clear()
      const fresh: Entry = { settings: look(tenantId, entry?.settings), lookedAt: now }
      fresh.settings.catch(() => {
        if (entries.get(tenantId) === fresh) entries.delete(tenantId)
      })
      entries.set(tenantId, fresh)
      return fresh.settings
    },
  }
}
