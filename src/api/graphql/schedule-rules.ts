import { z } from 'zod'
import { priorityName } from '../../domain/priority.ts'
import { firstOccurrence, isSameRecurrence } from '../../domain/recurring.ts'
import { nextOccurrence } from '../../domain/time/recurrence.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { validateEvent } from '../../pipeline/accept/validate-event.ts'
import { dateTime, faultsOf, maxScheduledMs, oneLine, orAbsent } from '../../pipeline/accept/validate-fields.ts'
import { validateSend } from '../../pipeline/accept/validate-send.ts'
import type { KeptSchedule, NewSchedule } from '../../store/schedules.ts'
import { validationFault } from './errors.ts'
import { recurrence } from './recurrence.ts'

const maxExpirySeconds = maxScheduledMs / 1000

const fields = z.object({
  name: oneLine(200).refine((value) => value !== '', 'must not be empty'),
  recurrence,
  startsAt: orAbsent(dateTime),
  endsAt: orAbsent(dateTime),
  expiresAfter: orAbsent(z.int().min(1, 'must be at least a second').max(maxExpirySeconds, 'must be at most 366 days')),
  enabled: orAbsent(z.boolean()),
})

export interface GivenSchedule extends z.input<typeof fields> {
  send?: object | null
  event?: object | null
}

/** What each occurrence has of its own. */
const ofOccurrence = ['idempotencyKey', 'scheduledAt', 'expiresAt', 'traceparent']

/** Judges a schedule as it shall be, and says when it comes next; throws a fault that names the fields. */
export function judgeSchedule(
  given: GivenSchedule,
  id: string,
  tenantId: string,
  now: Date,
  before?: KeptSchedule,
): NewSchedule {
  const path = ['input']
  const judged = fields.safeParse(given)
  const faults = judged.success ? [] : faultsOf(judged.error, path)
  const { kind, request, found } = judgeRequest(given, tenantId, now, path)
  faults.push(...found)
  if (!judged.success || faults.length > 0) throw validationFault(faults)
  const { name, recurrence, endsAt, expiresAfter, enabled = true } = judged.data
  const startsAt = judged.data.startsAt ?? before?.startsAt ?? now
  if (endsAt && endsAt <= startsAt) {
    throw validationFault([{ path: [...path, 'endsAt'], message: 'must be after startsAt' }])
  }
  const first = firstOccurrence({ startsAt, endsAt }, now, (after) => nextOccurrence(recurrence, after, 'UTC'))
  if (!first)
    throw validationFault([{ path: [...path, 'recurrence'], message: 'has no occurrence from now to its end' }])
  // What is due is not lost because somebody changed the text at that moment.
  const isAsBefore =
    before?.enabled &&
    isSameRecurrence(before.recurrence, recurrence) &&
    before.startsAt.getTime() === startsAt.getTime() &&
    before.endsAt?.getTime() === endsAt?.getTime()
  return {
    id,
    name,
    kind,
    request,
    recurrence,
    startsAt,
    endsAt,
    expiresAfterMs: expiresAfter === undefined ? undefined : expiresAfter * 1000,
    enabled,
    nextAt: (isAsBefore && before.nextAt) || first,
  }
}

function judgeRequest(given: GivenSchedule, tenantId: string, now: Date, path: readonly string[]) {
  const { send, event } = given
  const kind = event ? ('event' as const) : ('direct' as const)
  const request = withoutNulls(send ?? event ?? {})
  const place = [...path, event ? 'event' : 'send']
  const found: InputFault[] = []
  if (!send === !event) {
    found.push({ path: [...path, 'send'], message: 'or event is needed, and not both' })
    return { kind, request, found }
  }
  for (const name of ofOccurrence) {
    if (name in request)
      found.push({ path: [...place, name], message: 'is for each occurrence, and cannot be said here' })
  }
  const caller = { tenantId, source: 'system' as const }
  const judged = event
    ? validateEvent({ ...request, id: 'occurrence' }, caller, place)
    : validateSend(request, caller, now, { path: place, single: false })
  if (!judged.ok) found.push(...judged.faults)
  return { kind, request, found }
}

/** GraphQL gives objects without a prototype, and nulls for what is not meant. */
function withoutNulls(given: object): Record<string, unknown> {
  const plain = JSON.parse(JSON.stringify(given)) as Record<string, unknown>
  return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== null))
}

/** A request as it was written: with the words of the API. */
export function requestAsWritten({ kind, request }: Pick<KeptSchedule, 'kind' | 'request'>): Record<string, unknown> {
  if (kind === 'event') return request
  const words = (value: unknown) => (Array.isArray(value) ? value.map((one) => String(one).toUpperCase()) : value)
  const recipient = (value: unknown) => {
    const { type, ...rest } = value as { type?: string }
    return type === undefined ? rest : { type: type.toUpperCase(), ...rest }
  }
  const written: Record<string, unknown> = { ...request }
  for (const name of ['channels', 'fallbackChannels']) if (name in written) written[name] = words(written[name])
  if (typeof written.priority === 'number') written.priority = priorityName(written.priority)
  if (written.recipient) written.recipient = recipient(written.recipient)
  if (Array.isArray(written.recipients)) written.recipients = written.recipients.map(recipient)
  return written
}
