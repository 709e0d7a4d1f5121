import { channelOfEvent, type Round, roundsOf, wordOf } from './decision-rounds.ts'
import type { ExplanationStep } from './explanation.ts'
import { gateSteps } from './gate-steps.ts'
import type { NotificationStory, StoryEvent } from './story.ts'

/** What the gates said of a notification, what was planned, tried, and became of it. */
export function notificationSteps(story: NotificationStory, rounds = roundsOf(story)): ExplanationStep[] {
  return [
    ...rounds.slice(0, 1).map(({ at }) => enriched(story, at)),
    ...rounds.flatMap((round) => [...gateSteps(round), ...planned(story, round)]),
    ...story.attempts.map(tried),
    ...story.events.flatMap(happened),
    ...settled(story, rounds[0]?.at),
  ]
}

function enriched({ named, recipientId, recipientType, id, reason }: NotificationStory, at: Date): ExplanationStep {
  const { rule, ...how } = named
  return {
    stage: 'enrich',
    gate: 'audience',
    // A role without members is told of as itself.
    ...(reason === 'no_recipients' ? { verdict: 'nobody', reason } : { verdict: 'named' }),
    inputs: { notification_id: id, recipient_id: recipientId, recipient_type: recipientType, ...snake(how), rule },
    at,
  }
}

const snake = ({ isMember, ...rest }: Omit<NotificationStory['named'], 'rule'>) =>
  isMember === undefined ? rest : { ...rest, is_member_now: isMember }

function planned(story: NotificationStory, { at, kind, lines }: Round): ExplanationStep[] {
  if (kind === 'stopped') return []
  const deliveries = lines.flatMap((line) => line.deliveries)
  const [first] = lines
  const fold = lines.find(({ digest }) => digest)
  const verdict = fold ? 'folded' : first?.outcome ? 'stopped' : kind === 'again' ? 'decided_again' : 'planned'
  const reason = first?.outcome ? first.reason : undefined
  const digest = fold && { digest_key: fold.digest, digest_id: story.digest?.id }
  return [
    { stage: 'plan', gate: 'plan', verdict, reason, inputs: { notification_id: story.id, deliveries, ...digest }, at },
  ]
}

function tried(attempt: NotificationStory['attempts'][number]): ExplanationStep {
  const { provider, detail, completedAt, startedAt } = attempt
  return {
    stage: 'send',
    gate: 'attempt',
    channel: attempt.channel,
    verdict: attempt.outcome,
    reason: attempt.reason ?? undefined,
    inputs: {
      attempt: attempt.attempt,
      provider,
      ...(detail && { detail }),
      ...(completedAt && { took_ms: completedAt.getTime() - startedAt.getTime() }),
    },
    at: startedAt,
  }
}

const receipts = new Set(['delivered', 'bounced', 'opened', 'clicked', 'complained', 'seen', 'read', 'archived'])

/** What people and providers have said since. Attempts and decisions tell of themselves. */
function happened(event: StoryEvent): ExplanationStep[] {
  const word = wordOf(event)
  const { at, data } = event
  const channel = channelOfEvent(event)
  const step = { stage: 'settle' as const, channel, inputs: {}, at }
  const reason = typeof data.reason === 'string' ? data.reason : undefined
  if (word === 'requested' && data.fallback === true) return [{ ...step, gate: 'fallback', verdict: 'released' }]
  if (word === 'cancelled') return [{ ...step, gate: 'cancellation', verdict: 'cancelled', reason }]
  if (word === 'expired' && data.attempt !== undefined) {
    return [{ ...step, stage: 'send', gate: 'expiry', verdict: 'expire', reason: 'expired' }]
  }
  if (word === 'replayed') return [{ ...step, gate: 'replay', verdict: 'replayed', inputs: { by: data.by } }]
  if (receipts.has(word) && channel) return [{ ...step, gate: 'receipt', verdict: word, reason }]
  return []
}

/** How it stands now. */
function settled(story: NotificationStory, plannedAt: Date | undefined): ExplanationStep[] {
  const steps = story.deliveries.map((delivery): ExplanationStep => {
    const { channel, state, reason, until, nextAttemptAt, attempt, fallbackRank } = delivery
    const last = story.events.findLast(({ subjectId }) => subjectId === delivery.id)
    return {
      stage: 'settle',
      gate: 'delivery',
      channel,
      verdict: state,
      reason: reason ?? undefined,
      until: until ?? nextAttemptAt ?? undefined,
      inputs: { attempts: attempt, ...(fallbackRank > 0 && { fallback: fallbackRank }) },
      at: last?.at ?? plannedAt ?? story.events[0]?.at ?? new Date(0),
    }
  })
  const { digest } = story
  if (!digest) return steps
  const { id, key, kind, state, count, folded, closesAt, closedAt, closeReason, notification } = digest
  const isOver = state === 'closed'
  const isOut = story.outcome !== null
  return [
    ...steps,
    {
      stage: 'settle',
      gate: 'digest',
      verdict: isOut ? (story.outcome === 'sent' ? 'digested' : story.outcome!) : 'waiting',
      reason: isOut ? (story.reason ?? undefined) : undefined,
      until: isOver ? undefined : closesAt,
      inputs: {
        digest_id: id,
        key,
        kind,
        state,
        events: count,
        ...(folded !== null && { folded }),
        ...(closeReason && { close_reason: closeReason }),
        ...(notification && { notification_id: notification.id, notification_status: notification.status }),
      },
      at: story.events.findLast(({ subjectId }) => subjectId === story.id)?.at ?? closedAt ?? digest.openedAt,
    },
  ]
}
