import type { Channel } from './channel.ts'
import { type DigestItem, type DigestPolicy, mostItems } from './digest.ts'
import type { IntentPayload, NewIntent, RecipientRef } from './intent.ts'

/** What a notification that is folded would have been, so that its digest can be sent as it would have been. */
export interface SaidOfMember {
  type: string
  /** 0 LOW … 2 HIGH. */
  priority: number
  category?: string
  channels?: readonly Channel[]
  fallbackChannels?: readonly Channel[]
  template?: string
  subject?: string
  body?: string
  bodyHtml?: string
  correlationId?: string
  rule?: { id: string; version: number }
  /** ISO 8601. */
  expiresAt?: string
}

export interface Told {
  item: DigestItem
  said: SaidOfMember
}

export interface ClosedDigest {
  tenantId: string
  id: string
  key: string
  recipient: RecipientRef
  policy: DigestPolicy
  openedAt: Date
  reason: string
}

/** Of all items together; what a message can carry, and a row should. */
const mostBytes = 512 * 1024
/** Lines in the text of a digest without a template. */
const mostLines = 50

/** The request that a digest becomes: of its members, in order and at least one. */
export function digestIntent(digest: ClosedDigest, members: readonly Told[], closedAt: Date): NewIntent {
  const { said, item } = members.at(-1)!
  const { template = said.template } = digest.policy
  const own = digest.policy.template === undefined ? item.data : {}
  const correlation = commonOf(members, ({ correlationId }) => correlationId)
  return {
    tenantId: digest.tenantId,
    kind: 'direct',
    type: commonOf(members, ({ type }) => type) ?? 'digest',
    priority: Math.max(...members.map(({ said }) => said.priority)),
    category: said.category,
    correlationId: correlation,
    expiresAt: expiryOf(members),
    source: 'system',
    payload: {
      recipients: [digest.recipient],
      channels: said.channels && [...said.channels],
      fallbackChannels: said.fallbackChannels && [...said.fallbackChannels],
      ...(template === undefined ? inlineContent(members) : { template }),
      data: { ...own, ...digestData(digest, members, closedAt) },
      metadata: {},
      digest: { id: digest.id, rule: said.rule },
    },
  }
}

/** When the last of its members would have expired; those that had no end give it none. */
function expiryOf(members: readonly Told[]): string | undefined {
  const ends = members.flatMap(({ said }) => said.expiresAt ?? [])
  return ends.length === members.length ? ends.sort().at(-1) : undefined
}

function digestData(digest: ClosedDigest, members: readonly Told[], closedAt: Date): Record<string, unknown> {
  const all = members.map(({ item }) => item)
  const items = fitting(all)
  const alerts = all.filter(({ status }) => status !== undefined)
  const firing = alerts.filter(({ status }) => status === 'firing').length
  return {
    items,
    count: all.length,
    more: all.length - items.length,
    first: all[0],
    last: all.at(-1),
    digest: {
      id: digest.id,
      key: digest.key,
      opened_at: digest.openedAt.toISOString(),
      closed_at: closedAt.toISOString(),
      reason: digest.reason,
    },
    ...(alerts.length > 0 && {
      status: firing > 0 ? 'firing' : 'resolved',
      firing,
      resolved: alerts.length - firing,
    }),
  }
}

/** The newest that one message can carry. */
function fitting(items: readonly DigestItem[]): DigestItem[] {
  let bytes = 0
  let from = items.length
  while (from > 0 && items.length - from < mostItems) {
    bytes += JSON.stringify(items[from - 1]).length
    if (bytes > mostBytes && from < items.length) break
    from--
  }
  return items.slice(from)
}

/** One is sent as it was; several are a list of their subjects. */
function inlineContent(members: readonly Told[]): Pick<IntentPayload, 'subject' | 'body' | 'bodyHtml'> {
  const { said, item } = members.at(-1)!
  const status = (of: DigestItem) => (of.status === 'resolved' ? '[resolved] ' : '')
  if (members.length === 1) {
    const subject = said.subject === undefined ? undefined : status(item) + said.subject
    return { subject, body: said.body, bodyHtml: said.bodyHtml }
  }
  const title = (each: Told) => status(each.item) + (each.said.subject ?? each.item.subject ?? each.item.type)
  const lines = members.slice(-mostLines).map((each) => `- ${title(each)}`)
  const hidden = members.length - lines.length
  if (hidden > 0) lines.unshift(`(${hidden} more)`)
  return { subject: `${title(members.at(-1)!)} (+${members.length - 1})`, body: lines.join('\n') }
}

function commonOf<T>(members: readonly Told[], pick: (said: SaidOfMember) => T): T | undefined {
  const first = pick(members[0]!.said)
  return members.every(({ said }) => pick(said) === first) ? first : undefined
}
