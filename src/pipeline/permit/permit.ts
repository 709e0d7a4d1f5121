import type { Category } from '../../domain/category.ts'
import type { Channel } from '../../domain/channel.ts'
import { decide, type GateSettings } from '../../domain/decide.ts'
import type { Decision } from '../../domain/decision.ts'
import type { Person } from '../../domain/person.ts'
import type { SaidPreferences } from '../../domain/preferences.ts'
import type { Want, Wanted } from '../../domain/want.ts'

/** One recipient of one want, with all that the gates ask of. */
export interface Candidate {
  wanted: Wanted<{ tenantId: string; type: string; acceptedAt: Date; scheduledAt?: Date; expiresAt?: Date }>
  recipient: Person
  /** A role or group without a member: there is nobody to notify, and the notification says so. */
  empty?: true
}

/** The templates that a chunk names, by tenant and name. */
export interface TemplateIndex {
  find(tenantId: string, name: string): { channels: readonly Channel[]; version: string } | undefined
}

/** What a tenant has set for everybody. */
export interface TenantGates {
  /** Rises with each change. */
  version?: string
  categories: ReadonlyMap<string, Category>
  defaults?: SaidPreferences
}

export type Permitted<C extends Candidate> = C & {
  want: Want
  vars?: Readonly<Record<string, unknown>>
  decision: Decision
  settingsVersion?: string
}

/** Runs every addressee through the gates. Nothing is read here: all values were loaded for the whole chunk. */
export function permit<C extends Candidate>(
  candidates: readonly C[],
  templates: TemplateIndex,
  settings: GateSettings,
  tenant: TenantGates,
  now: Date,
): Permitted<C>[] {
  const timezone = tenant.defaults?.said.timezone ?? settings.timezone
  const on = { ...tenant, settings: { ...settings, timezone } }
  return candidates.map((candidate) => {
    const { wanted, recipient } = candidate
    const vars = wanted.varsFor?.(recipient)
    const want = wantOf(wanted, templates)
    let decision: Decision
    if (candidate.empty) decision = { outcome: 'suppressed', reason: 'no_recipients', deliveries: [], steps: [] }
    else if (wanted.varsFor && !vars) decision = unspeakable
    else decision = decide(want, recipient, on, now)
    return { ...candidate, want, vars, decision, settingsVersion: tenant.version }
  })
}

/** A variable of its template failed: what the others get is not touched. */
const unspeakable: Decision = {
  outcome: 'failed',
  reason: 'rule_error',
  deliveries: [],
  steps: [{ gate: 'validity', verdict: 'fail', reason: 'rule_error' }],
}

function wantOf(wanted: Candidate['wanted'], templates: TemplateIndex): Want {
  const { intent, template, priority, category, channels, fallbackChannels, schedule } = wanted
  const { fold, rule, isDigest, heldBack } = wanted
  const found = template === undefined ? undefined : templates.find(intent.tenantId, template)
  return {
    type: intent.type,
    priority,
    category,
    channels,
    fallbackChannels,
    template:
      template === undefined
        ? undefined
        : found
          ? { name: template, version: found.version, channels: found.channels }
          : null,
    // A schedule is reckoned from the moment that was asked for, if that was ahead.
    acceptedAt: laterOf(intent.acceptedAt, intent.scheduledAt),
    expiresAt: intent.expiresAt,
    schedule,
    fold,
    rule,
    isDigest,
    heldBack,
  }
}

const laterOf = (acceptedAt: Date, scheduledAt: Date | undefined): Date =>
  scheduledAt && scheduledAt > acceptedAt ? scheduledAt : acceptedAt
