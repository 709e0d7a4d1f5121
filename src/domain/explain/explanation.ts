import type { Channel } from '../channel.ts'

/** What became of it, as one word: a closed set. */
export const explanationOutcomes = [
  'delivered',
  'sent',
  'waiting', // for a queue, an attempt, the end of quiet hours, room in a limit …
  'scheduled', // whoever asked for it named a later moment
  'folded', // into a digest, which waits or went out instead of it
  'failed',
  'expired',
  'cancelled',
  'suppressed', // by a gate
  'not_addressed', // nothing names this recipient
  'not_matched', // no rule wanted the event
  'unknown', // there is no such request, or it is past its retention
] as const
export type ExplanationOutcome = (typeof explanationOutcomes)[number]

/** The stages of the pipeline, in the order in which explain tells of them: rules are asked before their recipients are looked up. */
export const explainedStages = ['accept', 'match', 'enrich', 'permit', 'plan', 'send', 'settle'] as const

export interface ExplanationStep {
  stage: (typeof explainedStages)[number]
  /** Of permit: one of the gates. Of the other stages: what of the stage it is. */
  gate: string
  channel?: Channel
  verdict: string
  reason?: string
  until?: Date
  /** What was compared. No address, no content. */
  inputs: Record<string, unknown>
  versions?: Record<string, string | number>
  at: Date
}

export interface Explanation {
  /** One sentence. */
  summary: string
  outcome: ExplanationOutcome
  /** In the order of time. */
  steps: ExplanationStep[]
}
