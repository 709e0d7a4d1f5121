import { priorityName } from '../priority.ts'
import { wordOf } from './decision-rounds.ts'
import type { ExplanationStep } from './explanation.ts'
import type { IntentStory, RequestStory, RuleAnswer } from './story.ts'

/** Rules that never came to look at the event are told of together where there are more. */
const mostRules = 200

/** How a request was accepted, what the rules said of it, and why this recipient is not among those whom it names. */
export function requestSteps(story: RequestStory): ExplanationStep[] {
  const { intent, notifications } = story
  if (!intent) return []
  const steps = [...accepted(intent), ...matched(story, intent)]
  const notNamed = notifications.length === 0 && story.decidedAt && story.recipientId !== undefined && !story.isToCome
  if (notNamed) steps.push(...left(story, intent, story.decidedAt!))
  return [...steps, ...intent.events.flatMap(ended)]
}

function accepted(intent: IntentStory): ExplanationStep[] {
  const { kind, source, type, priority, category, payload, acceptedAt: at, scheduledAt, expiresAt } = intent
  const step: ExplanationStep = {
    stage: 'accept',
    gate: 'request',
    verdict: 'accepted',
    inputs: given({
      intent_id: intent.id,
      kind,
      source,
      type,
      priority: priorityName(priority),
      category,
      event_id: intent.eventId,
      idempotency_key: intent.idempotencyKey,
      correlation_id: intent.correlationId,
      recipients: kind === 'direct' ? intent.recipients : undefined,
      expires_at: expiresAt?.toISOString(),
      digest_id: payload.digest?.id,
    }),
    at,
  }
  if (!scheduledAt || scheduledAt <= at) return [step]
  const inputs = { scheduled_at: scheduledAt.toISOString() }
  return [
    step,
    { stage: 'accept', gate: 'scheduled_at', verdict: 'wait', reason: 'scheduled', until: scheduledAt, inputs, at },
  ]
}

function matched({ rules, decidedAt }: RequestStory, intent: IntentStory): ExplanationStep[] {
  const at = decidedAt ?? intent.acceptedAt
  if (intent.kind === 'direct') {
    const { channels, fallbackChannels, template, schedule } = intent.payload
    const inputs = given({ channels, fallback_channels: fallbackChannels, template, schedule })
    return [{ stage: 'match', gate: 'request', verdict: 'match', inputs, at }]
  }
  const near = rules.filter((answer) => !isFar(answer))
  const far = rules.filter(isFar)
  const steps = [...near, ...far.slice(0, mostRules)].map((answer) => ofRule(answer, at))
  if (far.length <= mostRules) return steps
  const inputs = { rules: far.length - mostRules }
  return [...steps, { stage: 'match', gate: 'rule', verdict: 'no_match', reason: 'other_type', inputs, at }]
}

const isFar = ({ reason }: RuleAnswer) =>
  reason === 'other_type' || reason === 'other_domain' || reason === 'switched_off'

const ofRule = ({ rule, verdict, reason, inputs, audience }: RuleAnswer, at: Date): ExplanationStep => ({
  stage: 'match',
  gate: 'rule',
  verdict,
  reason,
  inputs: { rule_id: rule.id, rule: rule.name, ...inputs, ...audience },
  versions: { rule: `${rule.name}@${rule.version}` },
  at,
})

/** Of those who got nothing: whom each of the rules, or the request, names instead. */
function left({ rules, recipientId, named, audience }: RequestStory, intent: IntentStory, at: Date): ExplanationStep[] {
  const step = { stage: 'enrich' as const, gate: 'audience', verdict: 'not_named', at }
  const reasonOf = (isMember: boolean) => (isMember ? 'not_a_member_then' : 'not_in_audience')
  if (intent.kind === 'direct') {
    const inputs = { recipient_id: recipientId, recipients: intent.recipients, ...audience }
    return [{ ...step, reason: reasonOf(named?.isMember === true), inputs }]
  }
  return rules.flatMap(({ rule, verdict, names, audience: of }): ExplanationStep[] => {
    if (verdict !== 'match') return []
    const inputs = { recipient_id: recipientId, rule: rule.name, ...of }
    return [
      {
        ...step,
        reason: reasonOf((names?.by.length ?? 0) > 0),
        inputs,
        versions: { rule: `${rule.name}@${rule.version}` },
      },
    ]
  })
}

/** Ends of the request itself. */
function ended(event: IntentStory['events'][number]): ExplanationStep[] {
  const { at, data } = event
  const word = wordOf(event)
  const reason = typeof data.reason === 'string' ? data.reason : undefined
  if (word === 'unmatched') {
    const isNobody = reason === 'no_recipients'
    const stage = isNobody ? 'enrich' : 'match'
    return [
      {
        stage,
        gate: isNobody ? 'audience' : 'event',
        verdict: isNobody ? 'nobody' : word,
        reason: reason ?? 'not_matched',
        inputs: {},
        at,
      },
    ]
  }
  if (word === 'failed' || word === 'cancelled') {
    return [{ stage: 'settle', gate: 'request', verdict: word, reason, inputs: given({ code: data.code }), at }]
  }
  return []
}

const given = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
