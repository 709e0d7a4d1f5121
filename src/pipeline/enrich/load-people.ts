import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { parsePreferences } from '../../domain/parse-preferences.ts'
import type { Consent, Person, Suppression } from '../../domain/person.ts'
import type { SaidPreferences } from '../../domain/preferences.ts'
import { inlineAddresses, recipientIdOf } from '../../domain/recipient.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'

const peopleSql = statement('enrich/load_people')

export type RecipientRow = [
  id: string,
  name: string | null,
  locale: string | null,
  timezone: string | null,
  enabled: boolean,
  roles: string[],
  groups: string[],
  attributes: Record<string, unknown>,
]
export type PointRow = [recipientId: string, channel: Channel, address: string, position: number]
type PreferencesRow = [recipientId: string, version: number, document: unknown]
export type ConsentRow = [
  recipientId: string,
  category: string,
  granted: boolean,
  at: string,
  source: string,
  wording: string | null,
]
export type SuppressionRow = [
  channel: Channel,
  address: string,
  reason: Suppression['reason'],
  source: string,
  at: string,
  expiresAt: string | null,
]

interface Answer extends Record<string, unknown> {
  recipients: RecipientRow[] | null
  points: PointRow[] | null
  preferences: PreferencesRow[] | null
  consents: ConsentRow[] | null
  suppressions: SuppressionRow[] | null
}

export type Addresses = Partial<Record<Channel, string>>

/** What was loaded of one recipient. */
export interface Known {
  row?: RecipientRow
  addresses?: Addresses
  preferences?: SaidPreferences
  consents?: Record<string, Consent>
}

const nothing = Object.freeze({})
const none: readonly string[] = Object.freeze([])

/**
 * The people that requests name, in their order, with all that the gates ask of: one statement for any number. `categories`
 * are those whose consents are needed. What a request says goes before what a person prefers, and that before our records.
 * Roles and groups are nobody: whoever has them is loaded by name.
 */
export async function loadPeople(
  on: Queryable,
  tenantId: string,
  refs: readonly RecipientRef[],
  categories: readonly string[],
  now: Date,
): Promise<Person[]> {
  const named = new Set<string>()
  const unnamed = new Set<string>()
  const inline: [Channel, string][] = []
  const asked = refs.map((ref) => {
    const id = recipientIdOf(tenantId, ref)
    if (ref.webhookEndpointId) return { ref, id, addresses: inlineAddresses(ref) } // nobody's, and the hot path of status webhooks
    if (isPerson(ref)) (ref.id ? named : unnamed).add(id)
    const addresses = inlineAddresses(ref)
    for (const channel in addresses) inline.push([channel as Channel, addresses[channel as Channel]!])
    return { ref, id, addresses }
  })
  if (named.size === 0 && inline.length === 0)
    return asked.map(({ ref, id, addresses }) => personOf(ref, id, nothing, addresses))
  const [answer] = await run<Answer>(on, peopleSql, [
    tenantId,
    textArray([...named], (id) => id),
    textArray([...unnamed], (id) => id),
    [...categories],
    now,
    plainArray(inline, ([channel]) => channel),
    textArray(inline, ([, address]) => address),
  ])
  const known = gather(answer!)
  const suppressed = new Map(answer!.suppressions?.map((row) => [`${row[0]} ${row[1]}`, suppressionOf(row)]))
  return asked.map(({ ref, id, addresses }) => {
    const person = personOf(ref, id, (isPerson(ref) && known.get(id)) || nothing, addresses)
    if (suppressed.size > 0) person.suppressions = suppressionsOf(person.addresses, suppressed)
    return person
  })
}

export const isPerson = ({ type }: RecipientRef) => type === 'user' || type === 'system'

/** What was loaded, by recipient: the first usable address of each channel. */
export function gather(answer: Partial<Answer>): Map<string, Known> {
  const known = new Map<string, Known>()
  const at = (id: string): Known => {
    const found = known.get(id) ?? {}
    known.set(id, found)
    return found
  }
  for (const row of answer.recipients ?? []) at(row[0]).row = row

  const positions = new Map<string, number>()
  // The first usable address of each channel; of equals, the least.
  const isBefore = ([id, channel, address, position]: PointRow, kept: string): boolean => {
    const before = positions.get(`${channel} ${id}`) ?? 0
    return position < before || (position === before && address < kept)
  }
  for (const point of answer.points ?? []) {
    const [id, channel, address, position] = point
    const person = at(id)
    person.addresses ??= {}
    const kept = person.addresses[channel]
    if (kept !== undefined && !isBefore(point, kept)) continue
    person.addresses[channel] = address
    if (position !== 0 || kept !== undefined) positions.set(`${channel} ${id}`, position)
  }

  for (const [id, version, document] of answer.preferences ?? []) {
    at(id).preferences = { version, said: parsePreferences(document) }
  }
  for (const [id, category, granted, given, source, wording] of answer.consents ?? []) {
    const person = at(id)
    person.consents ??= Object.create(null) as Record<string, Consent>
    person.consents[category] = { granted, at: new Date(given), source, wordingVersion: wording ?? undefined }
  }
  return known
}

export function personOf(ref: RecipientRef, id: string, known: Known, inline: Addresses): Person {
  const { row } = known
  const preferences = ref.type === 'user' ? known.preferences : undefined
  // What stands with the preferences is how it was then; it counts for people of whom we have no record.
  const records = row ? { locale: row[2], timezone: row[3] } : preferences?.said
  return {
    type: ref.type,
    id,
    known: ref.id !== undefined,
    name: ref.name ?? row?.[1] ?? undefined,
    locale: ref.locale ?? records?.locale ?? undefined,
    timezone: ref.timezone ?? records?.timezone ?? undefined,
    addresses: { ...known.addresses, ...preferredAddresses(preferences), ...inline },
    enabled: row?.[4] ?? true,
    roles: row?.[5] ?? none,
    groups: row?.[6] ?? none,
    attributes: row?.[7] ?? nothing,
    preferences,
    consents: known.consents ?? nothing,
    suppressions: {},
  }
}

function preferredAddresses(preferences: SaidPreferences | undefined): Addresses | undefined {
  const said = preferences?.said.channels
  if (!said) return undefined
  const addresses: Addresses = {}
  for (const channel in said) {
    const address = said[channel as Channel]?.address
    if (address) addresses[channel as Channel] = address
  }
  return addresses
}

export function suppressionOf([, , reason, source, at, expiresAt]: SuppressionRow): Suppression {
  return { reason, source, at: new Date(at), expiresAt: expiresAt === null ? undefined : new Date(expiresAt) }
}

export function suppressionsOf(
  addresses: Addresses,
  suppressed: ReadonlyMap<string, Suppression>,
): Person['suppressions'] {
  const found: Person['suppressions'] = {}
  for (const channel in addresses) {
    const suppression = suppressed.get(`${channel} ${addresses[channel as Channel]}`)
    if (suppression) found[channel as Channel] = suppression
  }
  return found
}
