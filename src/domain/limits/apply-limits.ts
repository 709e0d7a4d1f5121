import type { Channel } from '../channel.ts'
import type { Decision, PlannedDelivery, Step } from '../decision.ts'
import type { Limit } from '../limit.ts'
import { endpointIdOf } from '../status-webhook.ts'
import { type Ask, limitFinder, type Refusal } from './allot.ts'

/** A decision that the gates before this one have let through, with what limits ask of it. */
export interface Limitable {
  /** Absent: of nobody (a fixed target). */
  recipientId?: string
  category?: string
  priority: number
  /** What the category says; absent: snooze. */
  onExcess?: 'snooze' | 'suppress'
  expiresAt?: Date
  decision: Decision
}

const keyOf = (place: number, channel: Channel) => `${place} ${channel}`

const hasAsked = ({ steps }: Decision, channel: Channel) =>
  steps.some((step) => step.gate === 'rate_limit' && step.channel === channel)

/**
 * What of some decisions goes out now, and has not been asked for yet: the input of `reserveLimits`. Calls that tell a tenant
 * of its own status events are no messages, and ask for nothing.
 */
export function asksOf(items: readonly Limitable[], limits: readonly Limit[]): Ask[] {
  if (limits.length === 0) return []
  const limitsOf = limitFinder(limits)
  const asks: Ask[] = []
  for (const [place, { decision, recipientId, category, priority, onExcess }] of items.entries()) {
    if (decision.outcome || decision.fold) continue
    for (const { channel, state, address } of decision.deliveries) {
      if (state !== 'queued' || endpointIdOf(address) !== undefined || hasAsked(decision, channel)) continue
      if (limitsOf({ channel, recipientId, category, priority }).length === 0) continue
      asks.push({ deliveryKey: keyOf(place, channel), recipientId, category, channel, priority, onExcess })
    }
  }
  return asks
}

/**
 * Puts down what `reserveLimits` has said of the asks of some decisions, which are changed: what was refused is snoozed or
 * suppressed, and each delivery that asked has a step. True: a fallback's turn has come because all before it was
 * suppressed, and it has to ask, too.
 */
export function applyLimits(
  items: readonly Limitable[],
  limits: readonly Limit[],
  asks: readonly Ask[],
  refused: ReadonlyMap<string, Refusal>,
): boolean {
  const limitsOf = limitFinder(limits)
  const passed = new Map<readonly Limit[], Step['inputs']>()
  let isMoreToAsk = false
  for (const { deliveryKey, ...ask } of asks) {
    const [place, channel] = deliveryKey.split(' ') as [string, Channel]
    const { decision, expiresAt } = items[Number(place)]!
    const refusal = refused.get(deliveryKey)
    if (!refusal) {
      const concerned = limitsOf(ask)
      const inputs = passed.get(concerned) ?? { limits: concerned.map(({ name }) => name) }
      passed.set(concerned, inputs)
      decision.steps.push({ gate: 'rate_limit', channel, verdict: 'pass', inputs })
      continue
    }
    const delivery = decision.deliveries.find((one) => one.channel === channel)!
    refuse(delivery, decision, refusal, expiresAt)
    if (delivery.state === 'suppressed' && useFallback(decision)) isMoreToAsk = true
  }
  return isMoreToAsk
}

function refuse(delivery: PlannedDelivery, decision: Decision, refusal: Refusal, expiresAt: Date | undefined): void {
  const { limit, used, max, onExcess } = refusal
  const isQuota = 'calendar' in limit.window
  // What expires before there is room is told so when it does.
  const until = expiresAt && refusal.until && expiresAt < refusal.until ? expiresAt : refusal.until
  delivery.state = onExcess === 'snooze' ? 'snoozed' : 'suppressed'
  delivery.reason = isQuota ? 'quota_exceeded' : 'rate_limited'
  delivery.until = onExcess === 'snooze' ? until : undefined
  decision.steps.push({
    gate: 'rate_limit',
    channel: delivery.channel,
    verdict: onExcess,
    reason: delivery.reason,
    ...(delivery.until ? { until: delivery.until.toISOString() } : {}),
    inputs: {
      limit: limit.name,
      scope: limit.scope,
      used,
      max,
      ...('calendar' in limit.window ? { calendar: limit.window.calendar } : { window_seconds: limit.window.seconds }),
    },
  })
}

/** Where all channels asked for are suppressed, the first fallback is used at once; without one, nothing goes out. */
function useFallback(decision: Decision): boolean {
  const { deliveries } = decision
  const reaches = ({ channel, state }: PlannedDelivery) => channel !== 'audit' && state !== 'suppressed'
  const isUnderWay = deliveries.some((one) => reaches(one) && one.state !== 'held')
  if (isUnderWay) return false
  const fallback = deliveries.find(({ state }) => state === 'held')
  if (fallback) fallback.state = 'queued'
  else if (deliveries.every(({ state }) => state === 'suppressed')) {
    decision.outcome = 'suppressed'
    decision.reason = deliveries[0]!.reason
  }
  return fallback !== undefined
}
