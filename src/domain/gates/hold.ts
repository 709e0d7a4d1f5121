import type { PlannedDelivery, Step } from '../decision.ts'
import { type Asked, isOpen, suppress } from './asked.ts'
import { quietHours } from './quiet-hours.ts'
import { schedule } from './schedule.ts'
import { sendWindows } from './send-window.ts'
import { type Hurdle, isSilent, type Wait, waitFor } from './wait.ts'

/**
 * Lets what is open wait for its hour: schedule, quiet hours and send windows together. Where no channel asked for can be
 * used, the first fallback is used at once; what would wait until it expires cannot. Says whether something was too late.
 */
export function hold(asked: Asked, deliveries: readonly PlannedDelivery[]): boolean {
  const hurdles = hurdlesOf(asked)
  const held: { delivery: PlannedDelivery; wait: Wait }[] = []
  const late: Step[] = []
  let isUsed = false
  for (const delivery of deliveries) {
    if (!isOpen(delivery)) continue
    if (delivery.fallbackRank > 0) {
      if (isUsed) break
      delivery.state = 'queued'
    }
    if (hurdles === undefined) {
      isUsed = true
      continue
    }
    const wait = isSilent(delivery.channel) ? hurdles.silent() : hurdles.loud()
    held.push({ delivery, wait })
    const { expiresAt } = asked.want
    if (wait.until !== undefined && expiresAt !== undefined && expiresAt <= wait.until) {
      late.push(tooLate(delivery, wait.until, expiresAt))
      suppress(delivery, 'expired')
      continue
    }
    isUsed = true
    if (wait.until === undefined) continue
    delivery.state = 'snoozed'
    delivery.until = wait.until
    delivery.reason = wait.reason
  }
  addSteps(asked.steps, held)
  asked.steps.push(...late)
  return late.length > 0
}

/** The waits of channels that ring and of those that do not, reckoned once each; undefined: nothing makes anything wait. */
function hurdlesOf(asked: Asked): { loud(): Wait; silent(): Wait } | undefined {
  const due = schedule(asked)
  const quiet = quietHours(asked)
  const windows = sendWindows(asked)
  if (due === undefined && quiet === undefined && windows.length === 0) return undefined
  const ofAll: Hurdle[] = due ? [due] : []
  const ofLoud = quiet ? [...ofAll, quiet, ...windows] : [...ofAll, ...windows]
  let loud: Wait | undefined
  let silent: Wait | undefined
  return {
    loud: () => (loud ??= waitFor(ofLoud, asked.now)),
    silent: () => (silent ??= waitFor(ofAll, asked.now)),
  }
}

/** A step of all channels is noted once; one that only some of them had names the channel. */
function addSteps(steps: Step[], held: readonly { delivery: PlannedDelivery; wait: Wait }[]): void {
  const isMixed = new Set(held.map(({ wait }) => wait)).size > 1
  const told = new Set<Wait>()
  let isScheduleTold = false
  for (const { delivery, wait } of held) {
    if (told.has(wait) && !isMixed) continue
    told.add(wait)
    for (const step of wait.steps) {
      if (step.gate === 'schedule') {
        if (!isScheduleTold) steps.push(step)
        isScheduleTold = true
      } else steps.push(isMixed ? { ...step, channel: delivery.channel } : step)
    }
  }
}

function tooLate({ channel }: PlannedDelivery, until: Date, expiresAt: Date): Step {
  const inputs = { expires_at: expiresAt.toISOString(), waits_until: until.toISOString() }
  return { gate: 'validity', channel, verdict: 'expire', reason: 'expired', inputs }
}
