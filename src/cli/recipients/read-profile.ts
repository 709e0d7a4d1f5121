import { type Channel, channels } from '../../domain/channel.ts'
import { validateRecipient } from '../../pipeline/accept/validate-recipient.ts'
import type { RecipientProfile } from '../../store/recipients.ts'

export interface RefusedField {
  /** As it stands in the file; absent: of the whole line. */
  field?: string
  reason: string
}

const plain = ['name', 'locale', 'timezone'] as const
const lists = ['roles', 'groups'] as const
const ids = ['id', 'external_id', 'externalId']
const pointLists = ['contactPoints', 'contact_points']
/** A phone takes messages and calls. */
const channelsOf: Readonly<Record<string, readonly Channel[]>> = {
  ...Object.fromEntries(channels.map((channel) => [channel, [channel]])),
  phone: ['sms', 'voice'],
}
const attribute = /^attributes\.(.+)$/

/** Whether a column, or a key of a JSON object, means something to us. */
function isKnownField(name: string): boolean {
  return (
    [...plain, ...lists, ...ids, ...pointLists, 'enabled', 'attributes'].includes(name) ||
    Object.hasOwn(channelsOf, name) ||
    attribute.test(name)
  )
}

/** What is wrong with the columns of a file; undefined: nothing. */
export function judgeColumns(columns: readonly string[], ignored: ReadonlySet<string>): string | undefined {
  const used = columns.filter((name) => !ignored.has(name))
  const twice = used.find((name, index) => used.indexOf(name) !== index)
  if (twice !== undefined) return `the column "${twice}" is there twice`
  const unknown = used.filter((name) => !isKnownField(name))
  if (unknown.length > 0) {
    const quoted = unknown.map((name) => `"${name}"`).join(', ')
    return `${quoted} is nothing that recipients have; leave columns out with --ignore`
  }
  const named = used.filter((name) => ids.includes(name))
  return named.length === 1 ? undefined : 'needs one column "id": your id of the recipient'
}

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
}

/**
 * What a line says of a recipient. Fields that the file does not have stay as they are; empty ones are cleared; a channel that
 * it has speaks of that channel alone.
 */
export function readProfile(
  said: Readonly<Record<string, unknown>>,
  ignored: ReadonlySet<string>,
): { profile: RecipientProfile } | { refused: RefusedField[] } {
  const input: Record<string, unknown> = {}
  const points: unknown[] = []
  const spokenOf: Channel[] = []
  const attributes: Record<string, unknown> = {}
  const refused: RefusedField[] = []
  /** The field of the file that a contact point stands in, by its place. */
  const fieldOfPoint: string[] = []
  for (const [field, value] of Object.entries(said)) {
    if (ignored.has(field)) continue
    if (!isKnownField(field)) refused.push({ field, reason: 'is not a field of recipients' })
    else if (typeof value === 'string' && value.includes('\ufffd')) {
      refused.push({ field, reason: 'holds something that is not UTF-8' })
    } else if (ids.includes(field)) input.id = typeof value === 'number' ? String(value) : value
    else if (lists.includes(field as 'roles')) input[field] = typeof value === 'string' ? split(value) : (value ?? [])
    else if (field === 'enabled') input.enabled = booleanOf(value)
    else if (field === 'attributes') Object.assign(attributes, attributesOf(value, field, refused))
    else if (pointLists.includes(field)) {
      for (const point of pointsOf(value)) {
        points.push(point)
        fieldOfPoint.push(field)
      }
    } else if (Object.hasOwn(channelsOf, field)) {
      for (const channel of channelsOf[field]!) {
        spokenOf.push(channel)
        for (const address of addressesOf(value, channel)) {
          points.push({ channel, address })
          fieldOfPoint.push(field)
        }
      }
    } else if (attribute.test(field)) {
      if (value !== '') attributes[attribute.exec(field)![1]!] = value
    } else input[field] = value === '' ? null : value
  }
  const fields = Object.keys(said).filter((field) => !ignored.has(field))
  if (fields.some((field) => field === 'attributes' || attribute.test(field))) input.attributes = attributes
  const isWhole = fields.some((field) => pointLists.includes(field))
  if (isWhole || spokenOf.length > 0) input.contactPoints = points

  const judged = validateRecipient(input, [])
  if (!judged.ok) {
    for (const { path, message } of judged.faults) {
      const [field = '', place = ''] = path
      refused.push({
        field: field === 'contactPoints' ? (fieldOfPoint[Number(place)] ?? field) : field,
        reason: message,
      })
    }
  }
  if (refused.length > 0 || !judged.ok) return { refused }
  const { id, enabled, roles, groups, attributes: given, contactPoints, ...rest } = judged.said
  return {
    profile: {
      externalId: id,
      ...rest,
      enabled: enabled ?? undefined,
      roles: roles ?? undefined,
      groups: groups ?? undefined,
      attributes: given ?? undefined,
      contactPoints: contactPoints ?? undefined,
      contactChannels: isWhole || spokenOf.length === 0 ? undefined : spokenOf,
    },
  }
}

/** Of a list in one cell. */
const split = (text: string): string[] =>
  text
    .split(/[;|]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')

function booleanOf(value: unknown): unknown {
  if (value === '' || value === null) return undefined
  return typeof value === 'string' ? (booleans[value.toLowerCase()] ?? value) : value
}

function addressesOf(value: unknown, channel: Channel): unknown[] {
  if (value === '' || value === null) return []
  if (typeof value !== 'string') return Array.isArray(value) ? value : [value]
  return channel === 'webhook' ? [value] : split(value) // a URL may hold what parts a list
}

/** An array of contact points, or an object of channels. */
function pointsOf(value: unknown): unknown[] {
  if (value === null || value === '') return []
  if (Array.isArray(value)) return value.map((point) => (isObject(point) ? inOurWords(point) : point))
  if (!isObject(value)) return [value]
  return Object.entries(value).flatMap(([name, addresses]) =>
    (channelsOf[name.toLowerCase()] ?? [name as Channel]).flatMap((channel) =>
      addressesOf(addresses, channel).map((address) => ({ channel, address })),
    ),
  )
}

function inOurWords({ channel, device_id, ...point }: Record<string, unknown>): Record<string, unknown> {
  const device = device_id === undefined ? {} : { deviceId: device_id }
  return { channel: typeof channel === 'string' ? channel.toLowerCase() : channel, ...device, ...point }
}

function attributesOf(value: unknown, field: string, refused: RefusedField[]): Record<string, unknown> {
  if (value === null || value === '') return {}
  if (isObject(value)) return value
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : undefined
    if (isObject(parsed)) return parsed
  } catch {
    // told below
  }
  refused.push({ field, reason: 'must be a JSON object' })
  return {}
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
