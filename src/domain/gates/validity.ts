import type { Decision, PlannedDelivery } from '../decision.ts'
import { type Asked, stopChannel } from './asked.ts'

/** What is past its expiry, or has no template, is worth nothing to anybody. */
export function validity(asked: Asked): Pick<Decision, 'outcome' | 'reason'> | undefined {
  const { want, now, steps } = asked
  if (want.expiresAt !== undefined) {
    const isOver = want.expiresAt <= now
    const inputs = { expires_at: want.expiresAt.toISOString() }
    steps.push(
      isOver
        ? { gate: 'validity', verdict: 'expire', reason: 'expired', inputs }
        : { gate: 'validity', verdict: 'pass', inputs },
    )
    if (isOver) return { outcome: 'expired', reason: 'expired' }
  }
  if (want.template === null) {
    steps.push({ gate: 'validity', verdict: 'fail', reason: 'template_not_found' })
    return { outcome: 'failed', reason: 'template_not_found' }
  }
  return undefined
}

/** Channels that are switched off, or that have no way to the person. An address is there, or undefined. */
export function reachability(asked: Asked, delivery: PlannedDelivery, address: string | undefined): void {
  const { enabledChannels } = asked.settings
  if (enabledChannels.length > 0 && !enabledChannels.includes(delivery.channel)) {
    stopChannel(asked, delivery, 'validity', 'channel_disabled')
  } else if (address === undefined) {
    stopChannel(asked, delivery, 'validity', 'no_address')
  }
}
