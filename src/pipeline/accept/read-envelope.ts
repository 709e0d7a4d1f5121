import type { Unreadable } from '../../domain/parked.ts'
import type { EncodedValue, ValueDecoder } from '../../platform/decode-value.ts'

/** A message of a request topic, wherever it was read. */
export interface InboundMessage {
  offset: bigint
  /** When it was written, in milliseconds, as text. */
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: Readonly<Record<string, Buffer | Buffer[] | undefined>>
  headerCount: number
  /** Where its batch could not be taken apart: why. */
  undecodable?: string
}

/** What a message says, and what it says of itself. */
export interface Envelope {
  /** The attributes of a CloudEvent, by their names; absent: it is none. */
  attributes?: ReadonlyMap<string, string>
  data: unknown
  /** W3C trace context beside CloudEvents, as OpenTelemetry writes it. */
  traceparent?: string
}

export type ReadEnvelope = { ok: true; envelope: Envelope } | ({ ok: false } & Unreadable)

const utf8 = new TextDecoder('utf-8', { fatal: true })
const prefix = 'ce_'
const structured = /^application\/cloudevents\+(json|avro)\s*(;|$)/i

/** The value with its content type, as a decoder wants it; undefined: there is none, or its content type is unreadable. */
export function encodedValueOf({ value, headers }: InboundMessage): EncodedValue | undefined {
  if (value === null) return undefined
  return { bytes: value, contentType: textOf(headers['content-type']) || undefined }
}

/**
 * Takes a message out of what it came in: a CloudEvent in binary mode (attributes in headers), in structured mode
 * (attributes in the value), or none.
 */
export function readEnvelope(message: InboundMessage, decoder: ValueDecoder): ReadEnvelope {
  const encoded = encodedValueOf(message)
  if (!encoded) return fault('invalid', 'the message has no value')
  const decoded = decoder.decode(encoded)
  if (!decoded.ok) return decoded
  const traceparent = textOf(message.headers.traceparent)
  const mode = structured.exec(encoded.contentType ?? '')?.[1]?.toLowerCase()
  if (mode) return readStructured(decoded.value, mode, traceparent)

  if (message.headers[`${prefix}specversion`] === undefined) {
    return { ok: true, envelope: { data: decoded.value, traceparent } }
  }
  const attributes = new Map<string, string>()
  for (const name in message.headers) {
    if (!name.startsWith(prefix)) continue
    const value = message.headers[name]
    if (value === undefined) continue
    const text = textOf(value)
    if (text === undefined) {
      return fault(
        'invalid',
        `header ${name.slice(0, 100)} ${Array.isArray(value) ? 'is there twice' : 'is not UTF-8'}`,
      )
    }
    attributes.set(name.slice(prefix.length), text)
  }
  return checked({ attributes, data: decoded.value, traceparent })
}

function readStructured(value: unknown, mode: string, traceparent: string | undefined): ReadEnvelope {
  if (!isRecord(value)) return fault('invalid', 'the value is not a CloudEvent')
  const given = mode === 'avro' ? value.attribute : value
  if (!isRecord(given)) return fault('invalid', 'attribute must be a map')
  const attributes = new Map<string, string>()
  for (const [name, of] of Object.entries(given)) {
    if (name === 'data' || name === 'data_base64' || of === null) continue
    if (typeof of === 'object') return fault('invalid', 'an attribute must be a text, a number or a truth value')
    attributes.set(name, String(of))
  }
  if (value.data_base64 !== undefined) return fault('invalid', 'data_base64 is not taken: put JSON into data')
  return checked({ attributes, data: value.data, traceparent })
}

/** What CloudEvents 1.0 demands of every event. */
function checked(envelope: Envelope): ReadEnvelope {
  const { attributes } = envelope
  if (attributes?.get('specversion') !== '1.0') return fault('invalid', 'specversion must be 1.0')
  for (const name of ['id', 'source', 'type']) {
    if (!attributes.get(name)) return fault('invalid', `the CloudEvent’s ${name} is needed`)
  }
  return { ok: true, envelope }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textOf(header: Buffer | Buffer[] | undefined): string | undefined {
  if (header === undefined || Array.isArray(header)) return undefined
  try {
    return utf8.decode(header)
  } catch {
    return undefined
  }
}

const fault = (reason: Unreadable['reason'], detail: string): ReadEnvelope => ({ ok: false, reason, detail })
