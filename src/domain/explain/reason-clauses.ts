import type { GateReason, Step } from '../decision.ts'

/** What a gate said, as it stands among the steps; of what was not kept, the reason alone. */
export type Said = Pick<Step, 'channel' | 'until' | 'inputs'>

type Clause = (inputs: Readonly<Record<string, unknown>>, until: string | undefined) => string

const quoted = (value: unknown) => `“${String(value)}”`
const priorityNames = ['LOW', 'NORMAL', 'HIGH', 'CRITICAL']
const priority = (value: unknown) => priorityNames[Number(value)] ?? String(value)
const list = (value: unknown) => (Array.isArray(value) && value.length > 0 ? value.join(', ') : 'none')
const untilText = (until: string | undefined, how = 'until') => (until ? ` ${how} ${until}` : '')

/** Whose word it was; of what was not kept it was the recipient's, who can change it at any time. */
const whose = (by: unknown) => {
  if (by === 'defaults') return 'the tenant’s defaults'
  return by === 'category' ? 'the category’s settings' : 'the recipient’s preferences'
}

const ofCategory = (category: unknown) => (category === undefined ? 'the category' : `category ${quoted(category)}`)
const ofType = (type: unknown) => (type === undefined ? 'the event type' : `event type ${quoted(type)}`)

/** Why a gate stopped something, or made it wait: one clause for each reason. */
const clauses: Record<GateReason, Clause> = {
  silenced: ({ comment }, until) => `a silence covers it${untilText(until)}${comment ? ` (${quoted(comment)})` : ''}`,
  inhibited: (_inputs, until) => `an alert that is open inhibits it${untilText(until, 'at the longest until')}`,
  expired: ({ expires_at: at, waits_until: until }) =>
    until ? `it would have to wait until ${until}, and expires at ${at}` : `it expired${at ? ` at ${at}` : ''}`,
  template_not_found: () => 'its template is not there, or switched off',
  channel_disabled: () => 'the channel is switched off for the whole installation',
  no_address: () => 'no address of the recipient is known',
  no_recipients: () => 'the role or group that was named has no members',
  rule_error: () => 'an expression among the rule’s template variables failed for this recipient',
  recipient_disabled: () => 'the recipient is switched off',
  address_suppressed: ({ reason }, until) =>
    `the address is on the suppression list${reason ? ` (${String(reason)})` : ''}${untilText(until)}`,
  no_consent: ({ category, granted, at }) =>
    granted === false
      ? `consent to ${ofCategory(category)} was withdrawn${at ? ` at ${at}` : ''}`
      : `there is no consent to ${ofCategory(category)} on record`,
  opted_out: ({ by }) => `${whose(by)} switch everything off`,
  paused: ({ by }, until) => `${whose(by)} pause everything${untilText(until)}`,
  channel_opted_out: ({ by }) => `${whose(by)} switch the channel off`,
  category_opted_out: ({ by, category }) => `${whose(by)} switch ${ofCategory(category)} off`,
  category_channel_opted_out: ({ by, category, channels }) =>
    `${whose(by)} allow ${ofCategory(category)} only on other channels${channels ? ` (${list(channels)})` : ''}`,
  event_type_opted_out: ({ by, event_type: type }) => `${whose(by)} switch ${ofType(type)} off`,
  event_type_channel_opted_out: ({ by, event_type: type, channels }) =>
    `${whose(by)} allow ${ofType(type)} only on other channels${channels ? ` (${list(channels)})` : ''}`,
  below_min_priority: ({ by, priority: own, min_priority: least, category }) =>
    own === undefined
      ? `${whose(by)} ask for a higher priority`
      : `its priority ${priority(own)} is below ${priority(least)}, which ${whose(by)} ask for${category === undefined ? '' : ` in ${ofCategory(category)}`}`,
  digest: ({ key }) => `it waits in a digest${key ? ` (${String(key)})` : ''}`,
  scheduled: ({ local_time: time, timezone }) =>
    time === undefined ? 'it was asked for later' : `it was asked for ${String(time)} (${String(timezone)})`,
  quiet_hours: ({ by, start_time: start, end_time: end, timezone }) =>
    start === undefined
      ? 'of quiet hours'
      : `quiet hours are ${String(start)} to ${String(end)} (${String(timezone)}) by ${whose(by)}`,
  send_window: ({ by, start_time: start, end_time: end, timezone }) =>
    start === undefined
      ? 'of a send window'
      : `the send window of the ${by === 'category' ? 'category' : 'rule or request'} is ${String(start)} to ${String(end)} (${String(timezone)})`,
  rate_limited: ({ limit, max, window_seconds: seconds }) =>
    limit === undefined
      ? 'a limit is used up'
      : `limit ${quoted(limit)} is used up (${String(max)} in ${String(seconds)} s)`,
  quota_exceeded: ({ limit, max, calendar }) =>
    limit === undefined
      ? 'a quota is used up'
      : `quota ${quoted(limit)} is used up (${String(max)} a ${String(calendar)})`,
}

/** Reasons that no gate gives: what has happened to it later. */
const others: Readonly<Record<string, string>> = {
  cancelled: 'it was cancelled',
  resolved: 'the alert was over before its group was told of',
  digested: 'it went out in a digest',
  expired: 'it expired',
}

export function clauseOf(reason: string, said: Said | undefined): string {
  const clause = Object.hasOwn(clauses, reason) ? clauses[reason as GateReason] : undefined
  if (clause) return clause(said?.inputs ?? {}, said?.until)
  return others[reason] ?? reason.replaceAll('_', ' ')
}
