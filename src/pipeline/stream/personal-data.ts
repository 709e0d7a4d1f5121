import { intentIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import type { Clock } from '../../platform/clock.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { decrypt, encrypt, newDataKey, unwrapDataKey, type WrappingKey } from '../../platform/envelope.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { createSubjectKeys, loadSubjectKeys, type Subject, type SubjectKeyRow } from '../../store/subject-keys.ts'

const personalSql = statement('stream/load_personal_data')

/** What a message says of a person beside its ids: AES-256-GCM under that person's data key. */
export interface Sealed {
  keyId: string
  /** base64: 12 bytes of nonce, the ciphertext of a JSON object, 16 bytes of tag. The associated data is `sealedFor`. */
  ciphertext: string
}

/** The object inside. */
export interface PersonalData {
  address?: string
  recipient_name?: string
  /** On `requested` alone: what was asked to be said, without recipients and attachments. */
  content?: Record<string, unknown>
  /** It was longer than a message may be. */
  content_omitted?: true
}

export interface SealerDeps {
  /** In the role carillon_worker. */
  on: Queryable
  /** The first one wraps; the others still open what they have wrapped. */
  wrappings: readonly WrappingKey[]
  clock: Clock
  ids: Pick<IdSource, 'id'>
}

interface PersonalRow extends Record<string, unknown> {
  tenant_id: string
  id: string
  address: string
  recipient_name: string | null
  /** JSON; null where it is not wanted, is too long, or its row is gone. */
  content: string | null
  content_omitted: boolean
}

/** Ciphertext belongs to one event; it opens nothing when it is moved to another. */
export const sealedFor = (tenantId: string, eventId: string, keyId: string) => `${tenantId} ${eventId} ${keyId}`
const wrappedFor = ({ tenantId, recipientId }: Subject, keyId: string) => `${tenantId} ${recipientId} ${keyId}`

/** Unwrapping costs as much as sealing; keys are met again within minutes, or not for long. */
const keysKept = 20_000

export type Sealer = (events: readonly StatusEvent[]) => Promise<Map<string, Sealed>>

/**
 * Seals what the events of deliveries say of people, by event id: a page of events costs two statements, or three where
 * people are new. Events of before a person was erased, and of rows that are gone, have nothing to seal.
 */
export function createSealer(deps: SealerDeps): Sealer {
  const opened = new Map<string, Buffer>()

  return async (events) => {
    const personal = events.filter(({ data }) => typeof data.recipient_id === 'string' && data.channel)
    const sealed = new Map<string, Sealed>()
    if (personal.length === 0) return sealed
    const [rows, keys] = await Promise.all([load(personal), keysOf(personal)])
    for (const event of personal) {
      const row = rows.get(`${event.tenantId} ${event.subjectId}`)
      const key = keys.get(subjectKey(subjectOf(event)))
      if (!row || !key?.key_id || !isTold(event, key)) continue
      const plain = Buffer.from(JSON.stringify(personalData(event, row)))
      const ciphertext = encrypt(open(key), plain, sealedFor(event.tenantId, event.id, key.key_id))
      sealed.set(event.id, { keyId: key.key_id, ciphertext: ciphertext.toString('base64') })
    }
    return sealed
  }

  async function load(events: readonly StatusEvent[]): Promise<Map<string, PersonalRow>> {
    const wanted = new Map(
      events.map(({ tenantId, subjectId }) => [`${tenantId} ${subjectId}`, { tenantId, subjectId }]),
    )
    const requested = new Set(events.filter(tellsContent).map(({ tenantId, subjectId }) => `${tenantId} ${subjectId}`))
    const ids = [...wanted.values()].map(({ subjectId }) => subjectId)
    const sorted = ids.toSorted()
    const tenants = [...wanted.values()].map(({ tenantId }) => tenantId)
    const rows = await run<PersonalRow>(deps.on, personalSql, [
      tenants,
      ids,
      sorted[0],
      sorted.at(-1),
      intentIdOf(sorted[0]!),
      [...wanted.keys()].map((name) => requested.has(name)),
      maxContentBytes,
    ])
    return new Map(rows.map((row) => [`${row.tenant_id} ${row.id}`, row]))
  }

  async function keysOf(events: readonly StatusEvent[]): Promise<Map<string, SubjectKeyRow>> {
    const subjects = new Map(events.map((event) => [subjectKey(subjectOf(event)), subjectOf(event)]))
    const found = byKey(await loadSubjectKeys(deps.on, [...subjects.values()]))
    const wrapping = deps.wrappings[0]!
    const keyless = events.map(subjectOf).filter((subject, index) => {
      const row = found.get(subjectKey(subject))
      return !row?.key_id && isTold(events[index]!, row)
    })
    const fresh = [...new Map(keyless.map((subject) => [subjectKey(subject), subject])).values()]
      .map((subject) => {
        const keyId = deps.ids.id()
        const { wrapped } = newDataKey(wrapping, wrappedFor(subject, keyId))
        return { ...subject, keyId, wrapped, wrappedBy: wrapping.name }
      })
      .sort((a, b) => (subjectKey(a) < subjectKey(b) ? -1 : 1)) // two relays lock in one order
    if (fresh.length === 0) return found
    return new Map([...found, ...byKey(await createSubjectKeys(deps.on, fresh, deps.clock.now()))])
  }

  function open(row: SubjectKeyRow): Buffer {
    const known = opened.get(row.key_id!)
    if (known) return known
    const key = openSubjectKey(deps.wrappings, row)
    if (opened.size >= keysKept) opened.clear()
    opened.set(row.key_id!, key)
    return key
  }
}

/** The data key itself; throws CANNOT_DECRYPT where it was erased or its wrapping key is not there. */
export function openSubjectKey(wrappings: readonly WrappingKey[], row: SubjectKeyRow): Buffer {
  const subject = { tenantId: row.tenant_id, recipientId: row.recipient_id }
  return unwrapDataKey(
    wrappings,
    row.wrapped_by ?? '',
    row.wrapped_key ?? Buffer.alloc(0),
    wrappedFor(subject, row.key_id ?? ''),
  )
}

/** What was sealed, for whoever has the key. */
export function openSealed(key: Buffer, sealed: Sealed, of: { tenantId: string; eventId: string }): PersonalData {
  const bytes = Buffer.from(sealed.ciphertext, 'base64')
  return JSON.parse(decrypt(key, bytes, sealedFor(of.tenantId, of.eventId, sealed.keyId)).toString())
}

/** Sealed and in base64 still a message that is not too long; see feed-format.ts. */
const maxContentBytes = 256 * 1024

const tellsContent = ({ type }: StatusEvent) => type.endsWith('.requested')

function personalData(event: StatusEvent, row: PersonalRow): PersonalData {
  const told: PersonalData = {
    address: row.address === '' ? undefined : row.address,
    recipient_name: row.recipient_name ?? undefined,
  }
  if (!tellsContent(event)) return told
  if (row.content_omitted) return { ...told, content_omitted: true }
  return row.content === null ? told : { ...told, content: JSON.parse(row.content) }
}

/** What happened before a person was erased is not told again. */
const isTold = ({ at }: StatusEvent, row?: SubjectKeyRow) => !row?.erased_at || at > row.erased_at

const subjectOf = ({ tenantId, data }: StatusEvent): Subject => ({ tenantId, recipientId: String(data.recipient_id) })
const subjectKey = ({ tenantId, recipientId }: Subject) => `${tenantId} ${recipientId}`
const byKey = (rows: readonly SubjectKeyRow[]) =>
  new Map(rows.map((row) => [subjectKey({ tenantId: row.tenant_id, recipientId: row.recipient_id }), row]))
