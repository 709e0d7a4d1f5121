import { notificationId } from '../domain/ids.ts'
import type { Addressee } from '../pipeline/enrich/resolve-recipients.ts'
import type { Permitted } from '../pipeline/permit/permit.ts'
import type { Folding } from '../pipeline/plan/fold-members.ts'

/** What of a planning waits in digests. */
export function foldingsOf(decided: readonly Permitted<Addressee>[]): Folding[] {
  return decided.flatMap((addressee) => (addressee.decision.fold ? foldingOf(addressee) : []))
}

function foldingOf({ intent, ordinal, ref, recipient, want, vars, decision }: Permitted<Addressee>): Folding {
  const { payload } = intent
  const text = (name: string) => (typeof vars?.[name] === 'string' ? vars[name] : undefined)
  const said = want.rule
    ? { subject: text('subject'), body: text('body'), bodyHtml: text('bodyHtml') }
    : { subject: payload.subject, body: payload.body, bodyHtml: payload.bodyHtml }
  const story = {
    recipient_id: recipient.id,
    type: intent.type,
    category: want.category,
    idempotency_key: intent.idempotencyKey,
    correlation_id: intent.correlationId,
    traceparent: intent.traceparent,
  }
  return {
    notificationId: notificationId(intent.id, ordinal),
    eventRef: intent.eventId ?? intent.id,
    recipientId: recipient.id,
    recipient: ref,
    timezone: recipient.timezone,
    fold: decision.fold!,
    item: {
      type: intent.type,
      data: { ...payload.data, ...vars },
      subject: said.subject,
      at: payload.event?.occurredAt ?? intent.acceptedAt.toISOString(),
    },
    said: {
      type: intent.type,
      priority: want.priority,
      category: want.category,
      channels: want.channels,
      fallbackChannels: want.fallbackChannels,
      template: want.template?.name,
      ...said,
      correlationId: intent.correlationId,
      rule: want.rule && { id: want.rule.id, version: want.rule.version },
      expiresAt: want.expiresAt?.toISOString(),
    },
    story,
  }
}
