import { z } from 'zod'
import { priorities } from '../../domain/priority.ts'
import {
  dateTime,
  eventType,
  faultsOf,
  jsonObject,
  maxContentBytes,
  optionalText,
  orAbsent,
  text,
  traceparentOf,
} from './validate-fields.ts'
import type { SendCaller, ValidatedIntent } from './validate-send.ts'

const eventInput = z.object({
  id: text(1, 255),
  type: eventType,
  domain: optionalText(1, 200),
  source: optionalText(1, 255),
  occurredAt: orAbsent(dateTime),
  data: jsonObject.refine(
    (value) => Buffer.byteLength(JSON.stringify(value) ?? '') <= maxContentBytes,
    'is larger than 1 MiB',
  ),
  correlationId: optionalText(1, 255),
  traceparent: z.string().nullish(),
})

/** Judges an EventInput, and makes an intent of it: the event's id is the key by which a second one is known. */
export function validateEvent(input: unknown, caller: SendCaller, path: readonly string[]): ValidatedIntent {
  const parsed = eventInput.safeParse(input)
  if (!parsed.success) return { ok: false, faults: faultsOf(parsed.error, path) }
  const event = parsed.data
  return {
    ok: true,
    intent: {
      tenantId: caller.tenantId,
      kind: 'event',
      type: event.type,
      priority: priorities.NORMAL,
      idempotencyKey: event.id,
      eventId: event.id,
      correlationId: event.correlationId,
      traceparent: traceparentOf(event.traceparent, caller.traceparent),
      source: caller.source ?? 'graphql',
      payload: {
        data: event.data,
        metadata: {},
        event: {
          domain: event.domain ?? event.type.split('.')[0]!,
          source: event.source,
          occurredAt: event.occurredAt?.toISOString(),
        },
      },
    },
  }
}
