import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'

/** Of whom, and of what, a link unsubscribes. */
export interface UnsubscribeSubject {
  tenantId: string
  recipientId: string
  category: string
}

export interface UnsubscribeTokens {
  sign(subject: UnsubscribeSubject): string
  /** undefined: it was not made here, or not by a key that still stands. */
  read(token: string): UnsubscribeSubject | undefined
}

const tagBytes = 16
const uuidBytes = 16

/**
 * Signs unsubscribe links and reads them back. A token shows nobody who it is of: it is sealed as in SIV mode, an HMAC of
 * its content being both the signature and the nonce, so the same subject has the same token at each attempt of a mail.
 * The greatest key id signs; all of them are read.
 */
export function createUnsubscribeTokens(keys: ReadonlyMap<number, Buffer>): UnsubscribeTokens {
  const derived = new Map(
    [...keys].map(([id, key]) => [id, { seal: derive(key, 'seal'), sign: derive(key, 'sign') }] as const),
  )
  const newest = Math.max(...keys.keys())

  return {
    sign({ tenantId, recipientId, category }) {
      const { seal, sign } = derived.get(newest)!
      const plain = Buffer.concat([
        Buffer.from(tenantId.replaceAll('-', ''), 'hex'),
        Buffer.from(`${recipientId}\u0000${category}`),
      ])
      const tag = tagOf(sign, plain)
      const cipher = createCipheriv('aes-256-ctr', seal, tag)
      return Buffer.concat([Buffer.of(newest), tag, cipher.update(plain), cipher.final()]).toString('base64url')
    },
    read(token) {
      const sealed = Buffer.from(token, 'base64url')
      const key = sealed.length > 1 + tagBytes + uuidBytes ? derived.get(sealed[0]!) : undefined
      // Base64 has room for characters that change nothing; a token is what was signed and nothing else.
      if (!key || sealed.toString('base64url') !== token) return undefined
      const tag = sealed.subarray(1, 1 + tagBytes)
      const decipher = createDecipheriv('aes-256-ctr', key.seal, tag)
      const plain = Buffer.concat([decipher.update(sealed.subarray(1 + tagBytes)), decipher.final()])
      if (!timingSafeEqual(tag, tagOf(key.sign, plain))) return undefined
      const [recipientId = '', category = ''] = plain.subarray(uuidBytes).toString().split('\u0000')
      return { tenantId: uuidOf(plain.subarray(0, uuidBytes)), recipientId, category }
    },
  }
}

const derive = (key: Buffer, purpose: string) =>
  createHmac('sha256', key).update(`carillon.unsubscribe.${purpose}`).digest()

const tagOf = (key: Buffer, plain: Buffer) => createHmac('sha256', key).update(plain).digest().subarray(0, tagBytes)

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
