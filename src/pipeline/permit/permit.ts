import type { Channel } from '../../domain/channel.ts'
import { decide, type GateSettings, type Verdict } from '../../domain/decide.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Recipient } from '../../domain/recipient.ts'

/** What the gates read of an addressee. */
export interface Candidate {
  intent: { tenantId: string; expiresAt?: Date; payload: IntentPayload }
  recipient: Recipient
  empty?: true
}

/** The templates that a chunk names, by tenant and name. */
export interface TemplateIndex {
  find(tenantId: string, name: string): { channels: readonly Channel[]; version: string } | undefined
}

export type Permitted<C extends Candidate> = C & { verdict: Verdict; templateVersion?: string }

/** Runs every addressee through the gates. Nothing is read here: all values were loaded for the whole chunk. */
export function permit<C extends Candidate>(
  candidates: readonly C[],
  templates: TemplateIndex,
  settings: GateSettings,
  now: Date,
): Permitted<C>[] {
  return candidates.map((candidate) => {
    const { intent, recipient } = candidate
    if (candidate.empty)
      return { ...candidate, verdict: { outcome: 'suppressed', reason: 'no_recipients', deliveries: [] } }
    const name = intent.payload.template
    const template = name === undefined ? undefined : (templates.find(intent.tenantId, name) ?? null)
    const verdict = decide(
      {
        channels: intent.payload.channels,
        fallbackChannels: intent.payload.fallbackChannels,
        template,
        expiresAt: intent.expiresAt,
      },
      recipient,
      settings,
      now,
    )
    return { ...candidate, verdict, templateVersion: template?.version }
  })
}
