import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { inlineAddresses, type Recipient, recipientIdOf } from '../../domain/recipient.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { Chunk } from '../../queue/queues.ts'
import type { Intent } from './load-intents.ts'

const recipientsSql = statement('enrich/load_recipients')
const membersSql = statement('enrich/load_members')

/** One recipient of one intent, with the place that makes the notification's id. */
export interface Addressee {
  intent: Intent
  ordinal: number
  recipient: Recipient
  /** A role or group without a member: there is nobody to notify, and the notification says so. */
  empty?: true
}

/** The intent goes on from there, in a job of its own. */
export interface Continuation {
  intentId: string
  /** Whether recipients of it are planned now: then it goes on only if this planning is the first. */
  pageBegun: boolean
  after: NonNullable<Chunk['after']>
}

interface RecipientRow extends Record<string, unknown> {
  external_id: string
  name: string | null
  locale: string | null
  timezone: string | null
  addresses: Partial<Record<Channel, string>>
}

type Named = Omit<Addressee, 'recipient'> & { ref: RecipientRef }

/**
 * Resolves whom the intents name: explicit recipients, and pages of the members of roles and groups, `limit` recipients
 * or little more in all; what is left goes on by continuations. The first member takes the ordinal of the role itself, so
 * that the id answered at acceptance is somebody's notification; the others follow behind the explicit recipients. A page
 * and its continuation commit together, so none is doubled.
 */
export async function resolveRecipients(
  on: Queryable,
  intents: readonly Intent[],
  chunk: Chunk,
  limit: number,
): Promise<{ addressees: Addressee[]; continuations: Continuation[] }> {
  const named: Named[] = []
  const continuations: Continuation[] = []
  for (const intent of intents) {
    const from = chunk.after ?? { ref: 0, recipientId: '', ordinal: 0 }
    if (named.length >= limit) {
      continuations.push({ intentId: intent.id, pageBegun: false, after: from })
      continue
    }
    const left = await nameRecipients(on, intent, from, limit - named.length, named)
    if (left) continuations.push({ intentId: intent.id, pageBegun: true, after: left })
  }
  const known = await loadKnown(on, chunk.tenant_id, named)
  return {
    addressees: named.map(({ ref, ...place }) => ({
      ...place,
      recipient: describe(place.intent.tenantId, ref, known),
    })),
    continuations,
  }
}

/** Names the recipients of one intent from a place on; gives the place where a full page of a role's members ended. */
async function nameRecipients(
  on: Queryable,
  intent: Intent,
  from: NonNullable<Chunk['after']>,
  limit: number,
  named: Named[],
): Promise<NonNullable<Chunk['after']> | undefined> {
  const refs = intent.payload.recipients ?? []
  let free = Math.max(refs.length, from.ordinal)
  for (let index = from.ref; index < refs.length; index++) {
    const ref = refs[index]!
    if (ref.type !== 'role' && ref.type !== 'group') {
      named.push({ intent, ordinal: index + 1, ref })
      continue
    }
    const resumed = index === from.ref && from.recipientId !== ''
    const after = resumed ? from.recipientId : ''
    const members = await run<{ external_id: string }>(on, membersSql, [
      intent.tenantId,
      ref.type,
      ref.id,
      after,
      limit,
    ])
    if (members.length === 0 && !resumed) named.push({ intent, ordinal: index + 1, ref, empty: true })
    members.forEach((member, place) => {
      const ordinal = place === 0 && !resumed ? index + 1 : ++free
      named.push({ intent, ordinal, ref: { type: 'user', id: member.external_id } })
    })
    // What comes behind this role waits for its last page.
    if (members.length === limit) return { ref: index, recipientId: members.at(-1)!.external_id, ordinal: free }
  }
  return undefined
}

async function loadKnown(on: Queryable, tenantId: string, named: readonly Named[]): Promise<Map<string, RecipientRow>> {
  const ids = [...new Set(named.flatMap(({ ref, empty }) => (ref.id && !empty ? [ref.id] : [])))]
  if (ids.length === 0) return new Map()
  const rows = await run<RecipientRow>(on, recipientsSql, [tenantId, ids])
  return new Map(rows.map((row) => [row.external_id, row]))
}

/** What the request says goes before what we know. */
function describe(tenantId: string, ref: RecipientRef, known: Map<string, RecipientRow>): Recipient {
  const row = ref.id === undefined ? undefined : known.get(ref.id)
  return {
    type: ref.type,
    id: recipientIdOf(tenantId, ref),
    known: ref.id !== undefined,
    name: ref.name ?? row?.name ?? undefined,
    locale: ref.locale ?? row?.locale ?? undefined,
    timezone: ref.timezone ?? row?.timezone ?? undefined,
    addresses: { ...row?.addresses, ...inlineAddresses(ref) },
  }
}
