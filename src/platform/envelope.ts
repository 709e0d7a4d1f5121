import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { OperationalError } from './errors.ts'

/*
 * Envelope encryption: what is said is encrypted under a data key, and the data key under one of the configured keys. Both
 * with AES-256-GCM: 12 random bytes of nonce, the ciphertext, 16 bytes of tag. The associated data names what the bytes
 * belong to, so that they decrypt nowhere else.
 */

const nonceBytes = 12
const tagBytes = 16

/** A key of the configuration, under the name that wrapped keys remember it by. */
export interface WrappingKey {
  name: string
  key: Buffer
}

/** `name:base64 of 32 bytes`, as FEED_PII_KEYS has it. The settings have been looked at before. */
export function parseWrappingKey(text: string): WrappingKey {
  const [name = '', key = ''] = text.split(':')
  return { name, key: Buffer.from(key, 'base64') }
}

/** Nonce, ciphertext and tag in one. */
export function encrypt(key: Buffer, plain: Buffer, belongsTo: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(belongsTo))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws CANNOT_DECRYPT where the key, the bytes or what they belong to is another. */
export function decrypt(key: Buffer, bytes: Buffer, belongsTo: string): Buffer {
  try {
    const nonce = bytes.subarray(0, nonceBytes)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(Buffer.from(belongsTo)).setAuthTag(bytes.subarray(bytes.length - tagBytes))
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), decipher.final()])
  } catch (error) {
    throw new OperationalError('CANNOT_DECRYPT', 'the key does not open these bytes', { cause: error })
  }
}

/** A fresh data key, and its wrapping. */
export function newDataKey(wrapping: WrappingKey, belongsTo: string): { key: Buffer; wrapped: Buffer } {
  const key = randomBytes(32)
  return { key, wrapped: encrypt(wrapping.key, key, belongsTo) }
}

/** Throws CANNOT_DECRYPT where the key that wrapped it is not among those given. */
export function unwrapDataKey(
  wrappings: readonly WrappingKey[],
  wrappedBy: string,
  wrapped: Buffer,
  belongsTo: string,
): Buffer {
  const wrapping = wrappings.find(({ name }) => name === wrappedBy)
  if (wrapping) return decrypt(wrapping.key, wrapped, belongsTo)
  throw new OperationalError(
    'CANNOT_DECRYPT',
    `a data key was wrapped by "${wrappedBy}", which is not in FEED_PII_KEYS`,
  )
}
