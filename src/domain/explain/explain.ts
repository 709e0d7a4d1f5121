import { type Round, roundsOf } from './decision-rounds.ts'
import type { Explanation, ExplanationOutcome, ExplanationStep } from './explanation.ts'
import { type Phrase, phraseOf } from './notification-phrase.ts'
import { notificationSteps } from './notification-steps.ts'
import { requestPhrase } from './request-phrase.ts'
import { requestSteps } from './request-steps.ts'
import type { NotificationStory, RequestStory } from './story.ts'

/** Tells the story of one request and one recipient: a sentence, and every step in the order of time. Pure. */
export function explain(story: RequestStory): Explanation {
  const told = story.notifications.map((notification) => {
    const rounds = roundsOf(notification)
    return { notification, rounds, phrase: phraseOf(notification, rounds) }
  })
  const { outcome, text } = told.length === 0 ? requestPhrase(story) : together(told.map(({ phrase }) => phrase))
  const steps = [...requestSteps(story), ...told.flatMap(stepsOf)]
  return { summary: sentence(text), outcome, steps: steps.sort((a, b) => a.at.getTime() - b.at.getTime()) }
}

const stepsOf = ({ notification, rounds }: { notification: NotificationStory; rounds: Round[] }): ExplanationStep[] =>
  notificationSteps(notification, rounds)

/** Of several rules the best speaks first. */
const best: readonly ExplanationOutcome[] = [
  'delivered',
  'sent',
  'waiting',
  'scheduled',
  'folded',
  'failed',
  'expired',
  'cancelled',
  'suppressed',
]

function together(phrases: readonly Phrase[]): Phrase {
  const [first, ...others] = phrases.toSorted((a, b) => best.indexOf(a.outcome) - best.indexOf(b.outcome))
  if (others.length === 0) return first!
  const text = [first!, ...others].map((phrase) => phrase.text).join('; and ')
  return { outcome: first!.outcome, text: `${phrases.length} notifications: ${text}` }
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
