import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { inlineAddresses, type Recipient, recipientIdOf } from '../../domain/recipient.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { Chunk } from '../../queue/queues.ts'
import { loadAudiences } from './load-audience.ts'
import type { Intent } from './load-intents.ts'

const recipientsSql = statement('enrich/load_recipients')

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
  const from = chunk.after ?? { ref: 0, recipientId: '', ordinal: 0 }
  const load = membersLoader(on, chunk.tenant_id, setsOf(intents, from), limit)
  for (const intent of intents) {
    if (named.length >= limit) {
      continuations.push({ intentId: intent.id, pageBegun: false, after: from })
      continue
    }
    const left = await nameRecipients(load, intent, from, limit - named.length, named)
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

/** The members of one role or group, behind one of them. */
interface MemberSet {
  type: 'role' | 'group'
  name: string
  after: string
}
type LoadMembers = (set: MemberSet) => Promise<readonly string[]>

const isSet = (ref: RecipientRef): ref is RecipientRef & { type: MemberSet['type'] } =>
  ref.type === 'role' || ref.type === 'group'
const keyOf = ({ type, name, after }: MemberSet) => `${type} ${name.length} ${name} ${after}`
const setOf = (ref: RecipientRef & { type: MemberSet['type'] }, after: string): MemberSet => ({
  type: ref.type,
  name: ref.id ?? '',
  after,
})

/** Those that the intents will ask for, in that order. */
function setsOf(intents: readonly Intent[], from: NonNullable<Chunk['after']>): MemberSet[] {
  const sets = new Map<string, MemberSet>()
  for (const { payload } of intents) {
    for (const [index, ref] of (payload.recipients ?? []).entries()) {
      if (index < from.ref || !isSet(ref)) continue
      const set = setOf(ref, index === from.ref ? from.recipientId : '')
      sets.set(keyOf(set), set)
    }
  }
  return [...sets.values()]
}

const setsAtOnce = 50

/**
 * Pages of members, by one statement for many sets. Who asks for them stops when it has recipients enough, and each set gives
 * one at least; so that many pages are the most that is held without being used.
 */
function membersLoader(on: Queryable, tenantId: string, sets: readonly MemberSet[], limit: number): LoadMembers {
  const places = new Map(sets.map((set, place) => [keyOf(set), place]))
  const loaded = new Map<string, string[]>()
  return async (set) => {
    const key = keyOf(set)
    if (!loaded.has(key)) {
      const place = places.get(key) ?? 0
      const next = sets.slice(place, place + setsAtOnce)
      const pages = await loadAudiences(
        on,
        tenantId,
        next.map(({ type, name, after }) => ({ [type === 'role' ? 'roles' : 'groups']: [name], after, limit })),
      )
      for (const [index, one] of next.entries()) loaded.set(keyOf(one), pages[index]!)
    }
    return loaded.get(key)!
  }
}

/** Names the recipients of one intent from a place on; gives the place where a full page of a role's members ended. */
async function nameRecipients(
  load: LoadMembers,
  intent: Intent,
  from: NonNullable<Chunk['after']>,
  limit: number,
  named: Named[],
): Promise<NonNullable<Chunk['after']> | undefined> {
  const refs = intent.payload.recipients ?? []
  let free = Math.max(refs.length, from.ordinal)
  for (let index = from.ref; index < refs.length; index++) {
    const ref = refs[index]!
    if (!isSet(ref)) {
      named.push({ intent, ordinal: index + 1, ref })
      continue
    }
    const resumed = index === from.ref && from.recipientId !== ''
    const members = (await load(setOf(ref, resumed ? from.recipientId : ''))).slice(0, limit)
    if (members.length === 0 && !resumed) named.push({ intent, ordinal: index + 1, ref, empty: true })
    members.forEach((member, place) => {
      const ordinal = place === 0 && !resumed ? index + 1 : ++free
      named.push({ intent, ordinal, ref: { type: 'user', id: member } })
    })
    // What comes behind this role waits for its last page.
    if (members.length === limit) return { ref: index, recipientId: members.at(-1)!, ordinal: free }
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
