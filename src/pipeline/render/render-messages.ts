import type { Channel } from '../../domain/channel.ts'
import { notificationIdOf } from '../../domain/ids.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Message } from '../../domain/message.ts'
import type { FailureReason } from '../../domain/outcome.ts'
import { compilePart, type Renderer } from './compile-template.ts'
import type { Content, NotificationContent } from './load-content.ts'
import type { LinkOf } from './unsubscribe-links.ts'

/** A claimed delivery, as far as rendering needs it. */
export interface Renderable {
  tenantId: string
  deliveryId: string
  channel: Channel
  attempt: number
  address: string
}

export interface TemplateParts {
  version: string
  parts: Partial<Record<Channel, { subject?: string; body?: string; body_html?: string }>>
}

/** What became of a delivery before it is sent: a message, or the reason why there is none. */
export type Rendered<R extends Renderable> = { claim: R; about: NotificationContent | undefined } & (
  | { message: Message; expiresAt?: Date }
  | { message?: undefined; expired: true }
  | { message?: undefined; expired?: undefined; reason: FailureReason; detail: string }
)

/** Makes the messages of a chunk. One that cannot be made fails by itself and stops no other. */
export function renderMessages<R extends Renderable>(
  claims: readonly R[],
  content: Content,
  find: (tenantId: string, name: string) => TemplateParts | undefined,
  now: Date,
  linkOf?: LinkOf,
): Rendered<R>[] {
  return claims.map((claim) => {
    const about = content.notification(claim.deliveryId)
    const payload = content.payload(claim.deliveryId)
    if (!about || !payload) {
      return { claim, about, reason: 'render_failed', detail: 'the notification is no longer there' }
    }
    const expiresAt = about.expires_at === null ? undefined : new Date(about.expires_at)
    if (expiresAt && expiresAt <= now) return { claim, about, expired: true }
    const endpoint = claim.channel === 'webhook' ? content.endpoint(claim.address) : undefined
    if (claim.channel === 'webhook' && (endpoint === undefined || endpoint.disabled)) {
      return { claim, about, reason: 'endpoint_disabled', detail: 'the endpoint is switched off' }
    }
    try {
      const unsubscribeUrl =
        claim.channel === 'email' && about.category !== null ? linkOf?.(about.recipient_id, about.category) : undefined
      const text = contentOf(claim, about, payload, find, unsubscribeUrl)
      return {
        claim,
        about,
        expiresAt,
        message: {
          deliveryId: claim.deliveryId,
          notificationId: notificationIdOf(claim.deliveryId),
          tenantId: claim.tenantId,
          channel: claim.channel,
          attempt: claim.attempt,
          type: about.type,
          address: endpoint?.url ?? claim.address,
          recipientId: about.recipient_id,
          recipientName: about.recipient_name ?? undefined,
          ...text,
          data: payload.data,
          metadata: payload.metadata,
          email: payload.email,
          unsubscribeUrl,
          webhook: endpoint && {
            endpointId: endpoint.id,
            secrets: endpoint.secrets,
            statusEvent: payload.statusEvent,
          },
          traceparent: about.traceparent ?? undefined,
          createdAt: new Date(about.created_at).toISOString(),
        },
      }
    } catch (error) {
      return { claim, about, reason: 'render_failed', detail: describeFault(error, about.template) }
    }
  })
}

/** Names the template and the kind of fault. Messages of the engine may quote values, so they are not passed on. */
function describeFault(error: unknown, template: string | null): string {
  const kind = error instanceof Error ? error.name : 'Error'
  const missing = error instanceof Error && error.message.includes('a value is missing')
  return `template ${template}: ${missing ? 'a value is missing' : kind}`.slice(0, 200).toWellFormed()
}

type Text = Pick<Message, 'subject' | 'body' | 'bodyHtml'>

function contentOf(
  claim: Renderable,
  about: NotificationContent,
  payload: IntentPayload,
  find: (tenantId: string, name: string) => TemplateParts | undefined,
  unsubscribeUrl: string | undefined,
): Text {
  if (payload.template === undefined) {
    return { subject: payload.subject, body: payload.body, bodyHtml: payload.bodyHtml }
  }
  const template = find(claim.tenantId, payload.template)
  if (!template) throw new Error('the template is no longer there')
  const part = template.parts[claim.channel] ?? plainest(template)
  if (!part) throw new Error('the template has no part')
  const key = `${claim.tenantId}/${payload.template}/${template.version}/${claim.channel}`
  const data = {
    ...payload.data,
    notification: {
      id: notificationIdOf(claim.deliveryId),
      type: about.type,
      category: about.category,
      unsubscribeUrl,
    },
    recipient: { id: about.recipient_id, name: about.recipient_name, locale: about.locale, timezone: about.timezone },
  }
  const render = (name: string, source: string | undefined, escaping: 'html' | 'text') => {
    if (source === undefined) return undefined
    const renderer: Renderer = compilePart(`${key}/${name}`, source, escaping)
    return renderer(data)
  }
  return {
    subject: render('subject', part.subject, 'text')
      ?.replaceAll(/\s*[\r\n]+\s*/g, ' ')
      .trim(),
    body: render('body', part.body, 'text'),
    bodyHtml: render('body_html', part.body_html, 'html'),
  }
}

/** For a channel that the template does not know: the text of the part that has one, without markup. */
function plainest(template: TemplateParts): { subject?: string; body?: string; body_html?: string } | undefined {
  const part = Object.values(template.parts).find((candidate) => candidate.body !== undefined)
  return part && { subject: part.subject, body: part.body }
}
