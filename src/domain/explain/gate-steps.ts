import type { Channel } from '../channel.ts'
import { gates, type Step } from '../decision.ts'
import type { DecisionLine } from '../decision-line.ts'
import type { Round } from './decision-rounds.ts'
import type { ExplanationStep } from './explanation.ts'

type Gate = (typeof gates)[number]

/** Every gate of a decision in their order, those too that had nothing to look at, and those that were not asked any more. */
export function gateSteps({ at, kind, lines }: Round): ExplanationStep[] {
  return lines.flatMap((line) => {
    if (kind === 'stopped') return line.steps.map((step) => explained(step, line, at))
    // What had waited is decided a channel at a time.
    const channel = kind === 'again' ? (line.deliveries[0]?.channel as Channel | undefined) : undefined
    return stepsOfLine(line, at).map((step) => (channel && !step.channel ? { ...step, channel } : step))
  })
}

/** Found too late only when it was known until when it waits. */
const isLate = (step: Step) => step.gate === 'validity' && step.inputs?.waits_until !== undefined

function stepsOfLine(line: DecisionLine, at: Date): ExplanationStep[] {
  const last = lastAsked(line)
  return gates.flatMap((gate, place) => {
    const own = line.steps.filter((step) => step.gate === gate && !isLate(step))
    const late = gate === 'send_window' ? line.steps.filter(isLate) : []
    const quiet = place > last || (gate === 'rate_limit' && !line.deliveries.some(({ state }) => state === 'queued'))
    const told = own.length > 0 ? own.map((step) => explained(step, line, at)) : [unset(gate, quiet, line, at)]
    return [...told, ...late.map((step) => explained(step, line, at))]
  })
}

/** The place of the gate behind which nobody was left to ask for. */
function lastAsked({ outcome, digest, deliveries, steps }: DecisionLine): number {
  const isOpen = deliveries.some(({ channel, state }) => state !== 'suppressed' && channel !== 'audit')
  if (!outcome && !digest && isOpen) return gates.length
  const stops = steps.filter(({ verdict }) => verdict !== 'pass' && verdict !== 'snooze')
  if (stops.length === 0) return outcome ? -1 : gates.length
  return Math.max(...stops.map((step) => gates.indexOf(isLate(step) ? 'send_window' : step.gate)))
}

function unset(gate: Gate, isQuiet: boolean, line: DecisionLine, at: Date): ExplanationStep {
  return {
    stage: 'permit',
    gate,
    verdict: isQuiet ? 'not_asked' : 'pass',
    reason: isQuiet ? undefined : 'nothing_set',
    inputs: {},
    versions: versionsOf(line),
    at,
  }
}

function explained(step: Step, line: DecisionLine, at: Date): ExplanationStep {
  const { gate, channel, verdict, reason, until, inputs = {} } = step
  // These gates look at what the preferences say, too.
  const said = gate === 'digest' || gate === 'quiet_hours' ? preferenceVersions(line) : undefined
  return {
    stage: 'permit',
    gate,
    channel,
    verdict,
    reason,
    until: until === undefined ? undefined : new Date(until),
    inputs,
    versions: versionsOf(line, { ...said, ...step.versions }),
    at,
  }
}

const preferenceVersions = ({ steps }: DecisionLine) =>
  steps.find(({ gate, versions }) => gate === 'preference' && versions)?.versions

function versionsOf(
  { rule, template, settings }: DecisionLine,
  own: Step['versions'] = {},
): ExplanationStep['versions'] {
  const versions = {
    ...(rule && { rule: `${rule.name}@${rule.version}` }),
    ...(template && { template }),
    ...own,
    ...(settings && { settings }),
  }
  return Object.keys(versions).length > 0 ? versions : undefined
}
