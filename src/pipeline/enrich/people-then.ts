import type { Channel } from '../../domain/channel.ts'
import type { RecipientRef } from '../../domain/intent.ts'
import { parsePreferences } from '../../domain/parse-preferences.ts'
import type { Consent, Person, Suppression } from '../../domain/person.ts'
import type { SaidPreferences } from '../../domain/preferences.ts'
import { inlineAddresses, recipientIdOf } from '../../domain/recipient.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import type { Intent } from './load-intents.ts'
import {
  type ConsentRow,
  gather,
  isPerson,
  type Known,
  type PointRow,
  personOf,
  type RecipientRow,
  type SuppressionRow,
  suppressionOf,
  suppressionsOf,
} from './load-people.ts'
import type { PeopleLoader } from './resolve-recipients.ts'

const peopleSql = statement('replay/load_people')

type VersionRow = [recipientId: string, version: number, document: unknown, from: string, to: string | null]
type ZoneRow = [recipientId: string, timezone: string | null, locale: string | null]

interface Answer extends Record<string, unknown> {
  recipients: RecipientRow[] | null
  points: PointRow[] | null
  preferences: VersionRow[] | null
  zones: ZoneRow[] | null
  /** In the order of their time. */
  consents: ConsentRow[] | null
  suppressions: SuppressionRow[] | null
}

/** What has a history of one recipient. */
interface History {
  versions: (SaidPreferences & { from: Date; to?: Date })[]
  consents: (Consent & { category: string })[]
  /** What their preferences say of them now. */
  zone?: { timezone?: string; locale?: string }
}

const nothing: Known = Object.freeze({})

/**
 * Loads the people that intents of the past named, each as the gates would have seen them at the intent's own moment: with the
 * preferences, consents and suppressed addresses of then. Who they are, their roles and addresses have no history: those are
 * as they stand now. One statement for any number. `momentOf`: when an intent was decided.
 */
export function createPeopleThen(momentOf: (intent: Intent) => Date): PeopleLoader {
  return async (on, tenantId, named) => {
    if (named.length === 0) return []
    const asked = named.map(({ ref, intent }) => ({
      ref,
      id: recipientIdOf(tenantId, ref),
      addresses: inlineAddresses(ref),
      at: momentOf(intent),
    }))
    const categories = [...new Set(named.flatMap(({ wanted }) => wanted.category ?? []))]
    const answer = await load(on, tenantId, asked, categories)
    const known = gather({ recipients: answer.recipients, points: answer.points })
    const histories = historiesOf(answer)
    const suppressions = new Map((answer.suppressions ?? []).map((row) => [`${row[0]} ${row[1]}`, suppressionOf(row)]))
    return asked.map(({ ref, id, addresses, at }) => {
      const then = isPerson(ref) ? knownAt(known.get(id), histories.get(id), at) : nothing
      const person = personOf(ref, id, then, addresses)
      if (suppressions.size > 0) person.suppressions = suppressedAt(person, suppressions, at)
      return person
    })
  }
}

async function load(
  on: Queryable,
  tenantId: string,
  asked: readonly { ref: RecipientRef; id: string; addresses: Partial<Record<Channel, string>>; at: Date }[],
  categories: readonly string[],
): Promise<Answer> {
  const people = asked.filter(({ ref }) => isPerson(ref))
  const idsOf = (isNamed: boolean) => [
    ...new Set(people.flatMap(({ ref, id }) => ((ref.id !== undefined) === isNamed ? id : []))),
  ]
  const inline = people.flatMap(({ addresses }) => Object.entries(addresses) as [Channel, string][])
  const times = asked.map(({ at }) => at.getTime())
  const least = times.reduce((one, other) => Math.min(one, other))
  const greatest = times.reduce((one, other) => Math.max(one, other))
  const [answer] = await run<Answer>(on, peopleSql, [
    tenantId,
    textArray(idsOf(true), (id) => id),
    textArray(idsOf(false), (id) => id),
    categories,
    new Date(least),
    new Date(greatest),
    plainArray(inline, ([channel]) => channel),
    textArray(inline, ([, address]) => address),
  ])
  return answer!
}

function historiesOf({ preferences, zones, consents }: Answer): Map<string, History> {
  const histories = new Map<string, History>()
  const of = (id: string): History => {
    const history = histories.get(id) ?? { versions: [], consents: [] }
    histories.set(id, history)
    return history
  }
  for (const [id, version, document, from, to] of preferences ?? []) {
    const said = parsePreferences(document)
    of(id).versions.push({ version, said, from: new Date(from), to: to === null ? undefined : new Date(to) })
  }
  for (const [id, timezone, locale] of zones ?? []) {
    of(id).zone = { timezone: timezone ?? undefined, locale: locale ?? undefined }
  }
  for (const [id, category, granted, at, source, wording] of consents ?? []) {
    of(id).consents.push({ category, granted, at: new Date(at), source, wordingVersion: wording ?? undefined })
  }
  return histories
}

function knownAt(now: Known | undefined, history: History | undefined, at: Date): Known {
  if (!history) return now ?? nothing
  const then: Known = { ...now }
  const said = history.versions.findLast(({ from, to }) => from <= at && (to === undefined || at < to))
  if (said) {
    then.preferences = { version: said.version, said: said.said }
    then.row = now?.row && rowThen(now.row, said.said, history.zone)
  }
  for (const { category, ...consent } of history.consents) {
    if (consent.at > at) break
    then.consents ??= Object.create(null) as Record<string, Consent>
    then.consents[category] = consent
  }
  return then
}

/** A zone or language that was told with the preferences, and has been changed with them since, was another one then. */
function rowThen(row: RecipientRow, said: SaidPreferences['said'], zone: History['zone']): RecipientRow {
  const [id, name, locale, timezone, ...rest] = row
  const localeThen = said.locale !== undefined && said.locale !== zone?.locale ? said.locale : locale
  const timezoneThen = said.timezone !== undefined && said.timezone !== zone?.timezone ? said.timezone : timezone
  return [id, name, localeThen, timezoneThen, ...rest]
}

function suppressedAt(
  { addresses }: Person,
  suppressions: ReadonlyMap<string, Suppression>,
  at: Date,
): Person['suppressions'] {
  const found = suppressionsOf(addresses, suppressions)
  for (const [channel, said] of Object.entries(found) as [Channel, Suppression][]) {
    const holds = said.at <= at && (said.expiresAt === undefined || at < said.expiresAt)
    if (!holds) delete found[channel]
  }
  return found
}
