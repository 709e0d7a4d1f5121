import type { Phrase } from './notification-phrase.ts'
import type { IntentStory, Named, RequestStory, RuleAnswer, RuleReason } from './story.ts'

/** What became of a request that has no notification for this recipient. */
export function requestPhrase(story: RequestStory): Phrase {
  const { intent, intentId, recipientId, rules } = story
  if (!intent) {
    return {
      outcome: 'unknown',
      text: `nothing is known of ${intentId}: it was not accepted, or is past its retention`,
    }
  }
  const who = recipientId ?? 'anybody'
  const what = intent.kind === 'event' ? `event “${intent.type}”` : `request “${intent.type}”`
  const ended = endOf(story, intent, what, who)
  if (ended) return ended
  if (intent.kind === 'direct' && recipientId !== undefined && !isNamed(story)) return notNamed(story, intent, who)
  if (!story.decidedAt) return waiting(story, intent, what, who)
  if (story.isToCome) {
    return {
      outcome: 'waiting',
      text: `waits to be decided for ${who}: the recipients of the ${what} are planned in pages`,
    }
  }
  if (intent.kind === 'direct') return notNamed(story, intent, who)
  const matched = rules.filter(({ verdict }) => verdict === 'match')
  if (matched.length === 0) return unmatched(what, rules)
  return {
    outcome: 'not_addressed',
    text: `no rule that matched the ${what} names ${who}: ${matched.map(whom).join('; ')}`,
  }
}

const isNamed = ({ named, audience }: RequestStory) =>
  named !== undefined || (audience !== undefined && audience.roles.length + audience.groups.length > 0)

function endOf({ rules }: RequestStory, intent: IntentStory, what: string, who: string): Phrase | undefined {
  const { outcome, events } = intent
  if (outcome === 'cancelled') return { outcome, text: `the ${what} was cancelled before ${who} was notified` }
  if (outcome === 'unmatched') return unmatched(what, rules)
  if (outcome === 'failed') {
    const code = events.findLast(({ data }) => data.code !== undefined)?.data.code
    return {
      outcome,
      text: `the ${what} could not be processed${code ? ` (${String(code)})` : ''}, however often it was tried`,
    }
  }
  if (outcome !== 'no_recipients') return undefined
  const matched = rules.filter(({ verdict }) => verdict === 'match')
  const names = matched.map(({ rule }) => `“${rule.name}”`).join(', ')
  return {
    outcome: 'not_addressed',
    text: `nobody was notified of the ${what}: the rules that matched${names ? ` (${names})` : ''} name nobody`,
  }
}

function waiting({ now }: RequestStory, intent: IntentStory, what: string, who: string): Phrase {
  const { scheduledAt, expiresAt, kind, acceptedAt } = intent
  if (expiresAt && expiresAt <= now) {
    return { outcome: 'expired', text: `not sent to ${who}: the ${what} expired at ${expiresAt.toISOString()}` }
  }
  if (scheduledAt && scheduledAt > now) {
    return { outcome: 'scheduled', text: `the ${what} waits for ${scheduledAt.toISOString()}, as it was asked for` }
  }
  const how = kind === 'event' ? 'to be matched with the rules' : 'to be decided'
  return { outcome: 'waiting', text: `the ${what} waits in the queue ${how} since ${acceptedAt.toISOString()}` }
}

function notNamed({ named, audience }: RequestStory, intent: IntentStory, who: string): Phrase {
  const sets = setsText(audience)
  const whom = `the request names ${intent.recipients} recipient${intent.recipients === 1 ? '' : 's'}`
  return {
    outcome: 'not_addressed',
    text: named?.isMember
      ? `${who} was not among the members when the recipients were looked up, and is one now: ${sets}`
      : `${whom}, and ${who} is not among them${sets ? `, nor a member of ${sets}` : ''}`,
  }
}

function setsText(sets: { roles?: readonly string[]; groups?: readonly string[] } | undefined): string {
  const named = (kind: string, names: readonly string[] = []) => names.map((name) => `${kind} “${name}”`)
  return [...named('role', sets?.roles), ...named('group', sets?.groups)].join(', ')
}

/** Whom a rule that matched names, that this one is not among. */
function whom({ rule, names, audience }: RuleAnswer): string {
  if (names && isNow(names)) return `“${rule.name}” names ${setsText(names) || 'the recipient'} now, and did not then`
  const { roles = [], groups = [], users = 0, addresses = 0, by_expression: given } = audience ?? {}
  const sets = setsText({ roles: roles as string[], groups: groups as string[] })
  const parts = [
    sets,
    Number(users) > 0 ? `${users} by id` : '',
    Number(addresses) > 0 ? `${addresses} by address` : '',
    given === undefined ? '' : `whom its expression gives (${given === 0 ? 'nobody' : String(given)})`,
  ].filter(Boolean)
  return `“${rule.name}” names ${parts.join(' and ') || 'nobody'}`
}

const isNow = ({ by }: Named) => by.length > 0

const counted: Record<RuleReason, string> = {
  switched_off: 'switched off',
  not_valid_then: 'not valid then',
  other_type: 'of other types',
  other_domain: 'of other domains',
  pattern_false: 'whose pattern is false',
  expression_failed: 'whose expression failed',
  not_loaded_yet: 'saved a moment before',
}

function unmatched(what: string, rules: readonly RuleAnswer[]): Phrase {
  const outcome = 'not_matched'
  if (rules.length === 0) return { outcome, text: `no rule matched the ${what}: there were none` }
  const reasons = Map.groupBy(rules, ({ reason }) => reason)
  const parts = [...reasons].flatMap(([reason, of]) => (reason ? [`${of.length} ${counted[reason]}`] : []))
  const one = rules.length === 1 ? rules[0] : undefined
  const there = one
    ? `the only one is “${one.rule.name}”, ${counted[one.reason!]}`
    : `${rules.length} were there, ${parts.join(', ')}`
  return { outcome, text: `no rule matched the ${what}: ${there}` }
}
