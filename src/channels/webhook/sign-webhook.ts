import { createHmac } from 'node:crypto'

const prefix = 'whsec_'

/** The key inside a `whsec_` secret, 24 to 64 bytes; undefined for text that is no such secret. */
function decodeSecret(secret: string): Buffer | undefined {
  const encoded = secret.slice(prefix.length)
  if (!secret.startsWith(prefix) || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined
  const key = Buffer.from(encoded, 'base64')
  return key.length >= 24 && key.length <= 64 ? key : undefined
}

/**
 * The `webhook-signature` of Standard Webhooks: one `v1,` signature per live secret, newest first as given, so that a
 * receiver may switch secrets at its own time. Undefined when there is no secret, or one that cannot sign: a message
 * signed with only the others would fail at the receivers that had already switched.
 */
export function signWebhook(
  secrets: readonly string[],
  id: string,
  timestampSeconds: number,
  body: Buffer,
): string | undefined {
  const keys = secrets.map(decodeSecret).filter((key) => key !== undefined)
  if (keys.length === 0 || keys.length < secrets.length) return undefined
  const head = `${id}.${timestampSeconds}.`
  return keys.map((key) => `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`).join(' ')
}
