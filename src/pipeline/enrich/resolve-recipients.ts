import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import type { Person } from '../../domain/person.ts'
import { inlineAddresses } from '../../domain/recipient.ts'
import type { Audience, Wanted } from '../../domain/want.ts'
import type { Queryable } from '../../platform/db.ts'
import type { Chunk } from '../../queue/queues.ts'
import { loadAudiences } from './load-audience.ts'
import type { Intent } from './load-intents.ts'
import { loadPeople } from './load-people.ts'

/** One recipient of one want, with the place that makes the notification's id. */
export interface Addressee {
  intent: Intent
  wanted: Wanted<Intent>
  ordinal: number
  /** As the want names them; members of a role by their id. */
  ref: RecipientRef
  recipient: Person
  /** A role or group without a member: there is nobody to notify, and the notification says so. */
  empty?: true
}

/** The intent goes on from there, in another job. */
export interface Continuation {
  intentId: string
  /** Whether recipients of it are planned now: then it goes on only if this planning is the first. */
  pageBegun: boolean
  after: Place
}

type Place = NonNullable<Chunk['after']>
/** An addressee before we know who it is. */
export type Named = Omit<Addressee, 'recipient'>
/** Loads who they are, in their order. */
export type PeopleLoader = (on: Queryable, tenantId: string, named: readonly Named[], now: Date) => Promise<Person[]>
/** The first members of an audience behind a place; `whole` where there are no others. */
type Members = (audience: Audience, after: string) => { ids: readonly string[]; whole: boolean }
/** Where a full page ended, or with which ordinal all is named. */
type Naming = { left: Place } | { left?: undefined; ordinal: number }

const beginning: Place = { ref: 0, recipientId: '', ordinal: 0 }
/** Of many audiences each gives so many members at least. */
const leastPage = 50

/**
 * Resolves whom the wants name: explicit recipients, and pages of the members of roles and groups, `limit` recipients
 * or little more in all; what is left goes on by continuations. A page and its continuation commit together, so none is
 * doubled. The wants of an intent stand together, in the order in which its notifications are numbered. Two statements.
 */
export async function resolveRecipients(
  on: Queryable,
  wanted: readonly Wanted<Intent>[],
  chunk: Chunk,
  limit: number,
  now: Date,
  peopleOf: PeopleLoader = peopleNow,
): Promise<{ addressees: Addressee[]; continuations: Continuation[] }> {
  const members = await loadMembers(on, chunk, wanted, limit)
  const named: Named[] = []
  const continuations: Continuation[] = []
  for (const [{ id: intentId }, wants] of Map.groupBy(wanted, ({ intent }) => intent)) {
    if (named.length >= limit) {
      continuations.push({ intentId, pageBegun: false, after: chunk.after ?? beginning })
      continue
    }
    const left = nameAll(wants, placeOf(chunk.after, wants[0]?.rule), limit, members, named)
    if (left) continuations.push({ intentId, pageBegun: true, after: left })
  }
  const people = await peopleOf(on, chunk.tenant_id, named, now)
  return {
    addressees: named.map((place, index) => ({ ...place, recipient: people[index]! })),
    continuations,
  }
}

const audienceOfRef = ({ type, id = '' }: RecipientRef): Audience => ({
  userIds: [],
  roles: type === 'role' ? [id] : [],
  groups: type === 'group' ? [id] : [],
})
const isOfUsers = ({ roles, groups }: Audience) => roles.length === 0 && groups.length === 0
const isSet = ({ type }: RecipientRef) => type === 'role' || type === 'group'

/**
 * The ordinals of which the planning of an intent's page from `after` on has taken one at least. None where the same people have
 * the same ordinals whenever it is planned. Of those who are named one by one none counts: they may have been cancelled before.
 */
export function pageMarks({ kind, payload }: Pick<Intent, 'kind' | 'payload'>, after: Place = beginning): number[] {
  if (kind === 'event') return [after.ordinal + 1]
  const { recipients: refs = [] } = payload
  const resumed = after.recipientId !== ''
  const next = refs.findIndex((ref, index) => isSet(ref) && index >= (resumed ? after.ref + 1 : after.ref))
  return [...(resumed ? [Math.max(refs.length, after.ordinal) + 1] : []), ...(next < 0 ? [] : [next + 1])]
}

/**
 * A page of each audience that is named, in one statement; many intents that name the same one share it. Users that are named
 * one by one need none: nothing but their names is asked for.
 */
async function loadMembers(
  on: Queryable,
  { tenant_id, after }: Chunk,
  wanted: readonly Wanted<Intent>[],
  limit: number,
): Promise<Members> {
  const pages = new Map<string, Audience & { after: string }>()
  const keyOf = (audience: Audience, from: string) => JSON.stringify([from, audience])
  const first = new Set<Intent>()
  for (const { intent, refs, audience, rule } of wanted) {
    const continued = first.has(intent) ? '' : placeOf(after, rule).recipientId
    first.add(intent)
    const asked = audience && !isOfUsers(audience) ? [audience] : []
    for (const each of [...refs.filter(isSet).map(audienceOfRef), ...asked]) {
      for (const from of new Set(['', continued])) pages.set(keyOf(each, from), { ...each, after: from })
    }
  }
  const size = Math.max(leastPage, Math.ceil(limit / Math.max(1, pages.size)))
  const asked = [...pages.values()].map((page) => ({ ...page, limit: size }))
  const found = asked.length === 0 ? [] : await loadAudiences(on, tenant_id, asked)
  const byKey = new Map([...pages.keys()].map((key, index) => [key, found[index]!]))
  return (audience, from) => {
    if (isOfUsers(audience)) return usersFrom(audience, from, limit)
    const ids = byKey.get(keyOf(audience, from))!
    return { ids, whole: ids.length < size }
  }
}

/** Each once, in an order that is the same for every page. */
function usersFrom({ userIds }: Audience, after: string, limit: number): ReturnType<Members> {
  if (userIds.length === 1) return { ids: userIds[0]! > after ? userIds : [], whole: true }
  const ids = [...new Set(userIds)].filter((id) => id > after).sort()
  return { ids: ids.slice(0, limit), whole: ids.length <= limit }
}

/** Where the first want of an intent goes on. A place in a rule whose expressions fail by now is no place in the next one. */
function placeOf(after: Place | undefined, rule: Wanted<Intent>['rule']): Place {
  if (!after) return beginning
  return after.rules && after.rules[0]?.id !== rule?.id ? { ...beginning, ordinal: after.ordinal } : after
}

/** The rules that are still to be worked, as they were when the intent was matched. */
function rulesOf(wants: readonly Wanted<Intent>[]): Pick<Place, 'rules'> {
  const rules = wants.flatMap(({ rule }) => (rule ? [{ id: rule.id, version: rule.version }] : []))
  return rules.length > 0 ? { rules } : {}
}

function nameAll(
  wants: readonly Wanted<Intent>[],
  from: Place,
  limit: number,
  members: Members,
  named: Named[],
): Place | undefined {
  let place = from
  for (const [index, wanted] of wants.entries()) {
    const rules = rulesOf(wants.slice(index))
    const room = limit - named.length
    if (room <= 0) return { ...beginning, ordinal: place.ordinal, ...rules }
    const naming = (wanted.rule ? nameAudience : nameRequested)(wanted, place, room, members, named)
    if (naming.left) return { ...naming.left, ...rules }
    place = { ...beginning, ordinal: naming.ordinal }
  }
  return undefined
}

/**
 * The recipients of a request. The first member of a role takes the ordinal of the role itself, so that the id answered at
 * acceptance is somebody's notification; the others follow behind the explicit recipients.
 */
function nameRequested(wanted: Wanted<Intent>, from: Place, room: number, members: Members, named: Named[]): Naming {
  const { intent, refs } = wanted
  const most = named.length + room
  let free = Math.max(refs.length, from.ordinal)
  for (let index = from.ref; index < refs.length; index++) {
    const ref = refs[index]!
    if (!isSet(ref)) {
      named.push({ intent, wanted, ordinal: index + 1, ref })
      continue
    }
    const resumed = index === from.ref && from.recipientId !== ''
    const { ids, whole } = members(audienceOfRef(ref), resumed ? from.recipientId : '')
    if (ids.length === 0 && !resumed) named.push({ intent, wanted, ordinal: index + 1, ref, empty: true })
    const page = ids.slice(0, Math.max(1, most - named.length))
    page.forEach((id, place) => {
      const ordinal = place === 0 && !resumed ? index + 1 : ++free
      named.push({ intent, wanted, ordinal, ref: { type: 'user', id } })
    })
    // What comes behind this role waits for its last page.
    if (!whole || page.length < ids.length) return { left: { ref: index, recipientId: page.at(-1)!, ordinal: free } }
  }
  return { ordinal: free }
}

/** The recipients of a rule: its inline ones and fixed targets, then its audience, each person once. */
function nameAudience(wanted: Wanted<Intent>, from: Place, room: number, members: Members, named: Named[]): Naming {
  const { intent, refs, audience } = wanted
  const most = named.length + room
  let ordinal = from.ordinal
  for (const ref of refs.slice(from.ref))
    named.push({ intent, wanted: onItsChannel(wanted, ref), ordinal: ++ordinal, ref })
  if (!audience) return { ordinal }
  const { ids, whole } = members(audience, from.recipientId)
  const page = ids.slice(0, Math.max(1, most - named.length))
  for (const id of page) named.push({ intent, wanted, ordinal: ++ordinal, ref: { type: 'user', id } })
  if (whole && page.length === ids.length) return { ordinal }
  return { left: { ref: refs.length, recipientId: page.at(-1)!, ordinal } }
}

/** A fixed target is reached where it is, whatever channels the rule has for people. */
function onItsChannel(wanted: Wanted<Intent>, ref: RecipientRef): Wanted<Intent> {
  if (ref.type !== 'system') return wanted
  return { ...wanted, channels: Object.keys(inlineAddresses(ref)) as Channel[], fallbackChannels: undefined }
}

/** In one statement, each with what the gates ask of. */
async function peopleNow(on: Queryable, tenantId: string, named: readonly Named[], now: Date): Promise<Person[]> {
  const categories = [...new Set(named.flatMap(({ wanted }) => wanted.category ?? []))]
  const refs = named.map(({ ref }) => ref)
  return loadPeople(on, tenantId, refs, categories, now)
}
