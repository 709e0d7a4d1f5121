import type { Decision } from '../decision.ts'

/**
 * What becomes of one notification, in a word: `sent`, `folded`, `expired`, or `snoozed`, `suppressed` and `failed` with the
 * reason behind a colon. Of several channels the one that comes first counts: what is sent on one is sent.
 */
export function verdictOf({ outcome, reason, fold, deliveries }: Decision): string {
  if (outcome === 'expired') return outcome
  if (outcome !== undefined) return `${outcome}:${reason ?? 'unknown'}`
  if (fold !== undefined) return 'folded'
  const reaching = deliveries.filter(({ channel }) => channel !== 'audit')
  const those = reaching.length > 0 ? reaching : deliveries
  if (those.some(({ state }) => state === 'queued' || state === 'sent')) return 'sent'
  const [soonest] = those
    .filter(({ state }) => state === 'snoozed')
    .sort((one, other) => (one.until?.getTime() ?? 0) - (other.until?.getTime() ?? 0))
  if (soonest) return `snoozed:${soonest.reason ?? 'unknown'}`
  return `suppressed:${those.find(({ state }) => state === 'suppressed')?.reason ?? 'unknown'}`
}

/** Whether somebody gets something by it, now or later. */
export function isLetThrough(verdict: string): boolean {
  return verdict === 'sent' || verdict === 'folded' || verdict.startsWith('snoozed:')
}
