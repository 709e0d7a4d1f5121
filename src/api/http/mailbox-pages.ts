import type { CapturedMessage, CaptureMailbox } from '../../channels/capture/capture-mailbox.ts'
import { type Channel, channels } from '../../domain/channel.ts'

/** The pages' own style, and frames of their own source for the HTML of a message; nothing else. */
export const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** A message's HTML, shown in a frame: it may be styled and hold inline pictures, and reach nothing. */
export const framePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"

const perPage = 50

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8884; padding: .4rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600 } nav a { margin-right: .8rem } pre { background: #8881; overflow: auto; padding: 1rem; white-space: pre-wrap }
iframe { background: #fff; border: 1px solid #8884; height: 32rem; width: 100% }`

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${style}</style></head><body>${body}</body></html>`
}

/** The newest captured messages, of one channel or of all. */
export async function mailboxPage(
  mailbox: Pick<CaptureMailbox, 'list'>,
  query: { channel?: string; before?: string },
): Promise<string> {
  const channel = channels.find((known) => known === query.channel) as Channel | undefined
  const messages = await mailbox.list({ limit: perPage, before: query.before, channel })
  const rows = messages.map(
    ({ id, capturedAt, channel: through, message }) => `<tr><td>${escapeHtml(capturedAt)}</td><td>${through}</td>
<td>${escapeHtml(message.address || message.recipientId)}</td>
<td><a href="/dev/mailbox/${encodeURIComponent(id)}">${escapeHtml(message.subject || message.body?.slice(0, 80) || message.type)}</a></td></tr>`,
  )
  const filters = channels.map((known) => `<a href="/dev/mailbox?channel=${known}">${known}</a>`)
  const older =
    messages.length === perPage
      ? `<p><a href="/dev/mailbox?${channel ? `channel=${channel}&` : ''}before=${encodeURIComponent(messages.at(-1)!.id)}">older</a></p>`
      : ''
  const table = `<table><tr><th>captured</th><th>channel</th><th>to</th><th>message</th></tr>${rows.join('')}</table>`
  return page(
    'Mailbox',
    `<h1>Mailbox</h1><p>What would have been sent.</p><nav><a href="/dev/mailbox">all</a>${filters.join('')}</nav>
${messages.length === 0 ? '<p>Nothing has been captured yet.</p>' : table}${older}`,
  )
}

/** One captured message: headers, text, HTML, and the e-mail as it would go over the wire. */
export function messagePage({ id, capturedAt, channel, message, eml }: CapturedMessage): string {
  const headers: [string, string | undefined][] = [
    ['captured', capturedAt],
    ['channel', channel],
    ['type', message.type],
    ['to', message.address],
    ['recipient', [message.recipientId, message.recipientName].filter(Boolean).join(' · ')],
    ['subject', message.subject],
    ['cc', message.email?.cc?.join(', ')],
    ['bcc', message.email?.bcc?.join(', ')],
    ['reply to', message.email?.replyTo],
    ['attachments', message.email?.attachments?.map(({ filename }) => filename).join(', ')],
    ['notification', message.notificationId],
    ['delivery', message.deliveryId],
    ['attempt', String(message.attempt)],
  ]
  const rows = headers.flatMap(([name, value]) =>
    value ? [`<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`] : [],
  )
  const parts = [
    `<p><a href="/dev/mailbox">Mailbox</a></p><h1>${escapeHtml(message.subject || message.type)}</h1>
<table>${rows.join('')}</table>`,
  ]
  if (message.body) parts.push(`<h2>Text</h2><pre>${escapeHtml(message.body)}</pre>`)
  if (message.bodyHtml) {
    parts.push(`<h2>HTML</h2><iframe sandbox src="/dev/mailbox/${encodeURIComponent(id)}/html" title="HTML"></iframe>`)
  }
  parts.push(`<h2>Data</h2><pre>${escapeHtml(JSON.stringify(message.data, null, 2))}</pre>`)
  if (eml) parts.push(`<h2>On the wire</h2><pre>${escapeHtml(eml)}</pre>`)
  return page(message.subject || message.type, parts.join('\n'))
}
