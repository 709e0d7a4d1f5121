import { createHash } from 'node:crypto'
import type { BridgeTopic } from '../../domain/bridge-topics.ts'
import type { NewIntent } from '../../domain/intent.ts'
import type { Unreadable } from '../../domain/parked.ts'
import type { ValueDecoder } from '../../platform/decode-value.ts'
import { coerceRequest } from './coerce-request.ts'
import type { InputFault } from './input-fault.ts'
import { type Envelope, type InboundMessage, isRecord, readEnvelope } from './read-envelope.ts'
import { notStorable, storable } from './text-rules.ts'
import { validateEvent } from './validate-event.ts'
import { type ValidatedIntent, validateSend } from './validate-send.ts'

export type JudgedMessage = { ok: true; intent: NewIntent } | ({ ok: false } & Unreadable)

export interface JudgeSettings {
  decoder: ValueDecoder
  /** Whom messages belong to that name no tenant, on topics that are pinned to none. */
  tenantId?: string
  maxBytes: number
  maxHeaders: number
}

/** Whatever the message is, this gives an answer: nothing in it may stop its partition. */
export function judgeMessage(
  message: InboundMessage,
  at: BridgeTopic & { partition: number },
  settings: JudgeSettings,
  now: Date,
): JudgedMessage {
  if (message.undecodable !== undefined) return parked('undecodable', `its batch: ${message.undecodable}`)
  if (message.headerCount > settings.maxHeaders) {
    return parked('too_large', `${message.headerCount} headers, at most ${settings.maxHeaders}`)
  }
  const bytes = message.value?.length ?? 0
  if (bytes > settings.maxBytes) return parked('too_large', `${bytes} bytes, at most ${settings.maxBytes}`)
  try {
    return judge(message, at, settings, now)
  } catch (error) {
    // Its depth is the writer's to choose, and what reads it is recursive.
    if (error instanceof RangeError) return parked('invalid', 'the value is nested too deep')
    throw error
  }
}

function judge(
  message: InboundMessage,
  at: BridgeTopic & { partition: number },
  { decoder, tenantId }: JudgeSettings,
  now: Date,
): JudgedMessage {
  const read = readEnvelope(message, decoder)
  if (!read.ok) return read
  const { envelope } = read
  if (envelope.attributes?.get('source')?.startsWith('/carillon/')) {
    return parked('invalid', 'source names our own feed: its events are not requests')
  }
  if (at.kind === 'event' && !envelope.attributes)
    return parked('invalid', 'specversion: an event must be a CloudEvent')
  const data = envelope.data ?? {}
  if (!isRecord(data)) return parked('invalid', 'data must be an object')

  const tenant = tenantOf(data, envelope, at, tenantId)
  if ('reason' in tenant) return { ok: false, ...tenant }
  const caller = {
    tenantId: tenant.id,
    source: 'kafka' as const,
    traceparent: envelope.attributes?.get('traceparent') ?? envelope.traceparent,
  }
  const validated =
    at.kind === 'event'
      ? validateEvent(eventInputOf(envelope, data, at), caller, [])
      : judgeRequest(data, envelope, caller, now)
  if (!validated.ok) return parked('invalid', told(validated.faults))
  const { intent } = validated
  const key = (at.kind === 'request' && intent.idempotencyKey) || keyOf(message, envelope, at)
  if ([...key].length > 255) return parked('invalid', 'idempotencykey must be 1 to 255 characters')
  if (!storable(key)) return parked('invalid', `idempotencykey, or source and id, ${notStorable}`)
  return { ok: true, intent: { ...intent, idempotencyKey: key } }
}

function judgeRequest(
  data: Record<string, unknown>,
  { attributes }: Envelope,
  caller: Parameters<typeof validateSend>[1],
  now: Date,
): ValidatedIntent {
  const { tenant_id: _, tenantId: __, ...fields } = data
  const coerced = coerceRequest({
    eventId: attributes?.get('id'),
    correlationId: attributes?.get('correlationid'),
    ...fields,
  })
  if (!coerced.ok) return coerced
  return validateSend(coerced.input, caller, now, { path: [], single: false })
}

function eventInputOf(envelope: Envelope, data: Record<string, unknown>, at: BridgeTopic): Record<string, unknown> {
  const attribute = (name: string) => envelope.attributes?.get(name)
  return {
    id: attribute('id'),
    type: attribute('type'),
    domain: attribute('domain') ?? at.domain,
    source: attribute('source'),
    occurredAt: attribute('time'),
    data,
    correlationId: attribute('correlationid'),
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whom the message names, in its attributes or its fields; what its topic is pinned to goes before. */
function tenantOf(
  data: Record<string, unknown>,
  { attributes }: Envelope,
  at: BridgeTopic,
  fallback: string | undefined,
): { id: string } | Unreadable {
  const said = [attributes?.get('tenantid'), data.tenant_id, at.kind === 'request' ? data.tenantId : undefined]
    .filter((each) => each !== undefined && each !== null)
    .map((each) => String(each).toLowerCase())
  if (new Set(said).size > 1) return { reason: 'invalid', detail: 'tenant_id and the tenantid attribute differ' }
  const id = said[0] ?? at.tenantId ?? fallback
  if (id === undefined) return { reason: 'unknown_tenant', detail: 'tenant_id: the message names no tenant' }
  if (!uuid.test(id)) return { reason: 'unknown_tenant', detail: 'tenant_id is not a UUID' }
  if (at.tenantId !== undefined && id !== at.tenantId) {
    return { reason: 'unknown_tenant', detail: 'tenant_id is not the tenant that the topic is pinned to' }
  }
  return { id }
}

/**
 * What makes a message that comes twice the same: the writer's own key, the event's source and id, or its place. With its
 * place goes its time, so that a topic that was made anew does not repeat the places of the one before.
 */
function keyOf(
  { offset, timestamp }: InboundMessage,
  { attributes }: Envelope,
  at: BridgeTopic & { partition: number },
): string {
  const own = attributes?.get('idempotencykey')
  if (own) return own
  const [source, id] = [attributes?.get('source'), attributes?.get('id')]
  const key = source && id ? `${source} ${id}` : `${at.topic} ${at.partition} ${offset} ${timestamp}`
  return [...key].length <= 255 ? key : `sha256 ${createHash('sha256').update(key).digest('hex')}`
}

const maxTold = 5

/** Every field at fault with its rule; what was written in it is not quoted. */
function told(faults: readonly InputFault[]): string {
  const lines = faults.slice(0, maxTold).map(({ path, message }) => `${path.join('.')} ${message}`.trim().slice(0, 300))
  return faults.length > maxTold ? `${lines.join('; ')}; and ${faults.length - maxTold} more` : lines.join('; ')
}

const parked = (reason: Unreadable['reason'], detail: string): JudgedMessage => ({ ok: false, reason, detail })
