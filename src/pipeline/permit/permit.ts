import type { Channel } from '../../domain/channel.ts'
import { decide, type GateSettings } from '../../domain/decide.ts'
import type { Decision } from '../../domain/decision.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Recipient } from '../../domain/recipient.ts'

/** What the gates read of an addressee. */
export interface Candidate {
  intent: {
    tenantId: string
    type: string
    priority: number
    category?: string
    acceptedAt: Date
    expiresAt?: Date
    payload: IntentPayload
  }
  recipient: Recipient
  empty?: true
}

/** The templates that a chunk names, by tenant and name. */
export interface TemplateIndex {
  find(tenantId: string, name: string): { channels: readonly Channel[]; version: string } | undefined
}

export type Permitted<C extends Candidate> = C & { verdict: Decision; templateVersion?: string }

/** Runs every addressee through the gates. Nothing is read here: all values were loaded for the whole chunk. */
export function permit<C extends Candidate>(
  candidates: readonly C[],
  templates: TemplateIndex,
  settings: GateSettings,
  now: Date,
): Permitted<C>[] {
  return candidates.map((candidate): Permitted<C> => {
    const { intent, recipient } = candidate
    if (candidate.empty)
      return { ...candidate, verdict: { outcome: 'suppressed', reason: 'no_recipients', deliveries: [], steps: [] } }
    const name = intent.payload.template
    const found = name === undefined ? undefined : (templates.find(intent.tenantId, name) ?? null)
    const template = found && { name: name!, version: found.version, channels: found.channels }
    const verdict = decide(
      {
        type: intent.type,
        priority: intent.priority,
        category: intent.category,
        channels: intent.payload.channels,
        fallbackChannels: intent.payload.fallbackChannels,
        template,
        acceptedAt: intent.acceptedAt,
        expiresAt: intent.expiresAt,
      },
      { ...recipient, enabled: true, roles: [], groups: [], attributes: {}, consents: {}, suppressions: {} },
      { settings, categories: new Map() },
      now,
    )
    return { ...candidate, verdict, templateVersion: found?.version }
  })
}
