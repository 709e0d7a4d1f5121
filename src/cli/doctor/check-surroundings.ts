import { statfs } from 'node:fs/promises'
import { verifySmtp } from '../../channels/email/verify-smtp.ts'
import type { Config } from '../../config/config.ts'
import { codeOf } from '../exit-codes.ts'
import type { Check } from './check.ts'

export async function checkMail(config: Config): Promise<Check> {
  const name = 'mail'
  if (!config.SMTP_URL) {
    if (config.NODE_ENV !== 'production') {
      return { name, verdict: 'off', detail: 'no SMTP_URL: mail goes to the capture mailbox' }
    }
    return {
      name,
      verdict: 'warn',
      detail: 'no SMTP_URL: e-mail has no provider',
      remedy: 'set SMTP_URL and SMTP_FROM',
    }
  }
  const { host } = new URL(config.SMTP_URL)
  const verdict = await verifySmtp(config.SMTP_URL, Math.min(config.SMTP_TIMEOUT, 10_000))
  if (verdict.ok) return { name, verdict: 'ok', detail: `${host} lets us in` }
  const remedy =
    verdict.detail.startsWith('EAUTH') || verdict.detail.startsWith('ENOAUTH')
      ? 'check the user name and the password in SMTP_URL'
      : 'check SMTP_URL, and that this machine may connect to it'
  return { name, verdict: 'fail', detail: `${host} does not let us in (${verdict.detail})`, remedy }
}

const warnBelowBytes = 2 * 1024 ** 3
const failBelowBytes = 256 * 1024 ** 2

/** Room for the embedded Postgres. */
export async function checkDisk(dataDir: string): Promise<Check> {
  const name = 'disk'
  try {
    const { bavail, bsize } = await statfs(dataDir)
    const free = bavail * bsize
    const detail = `${(free / 1024 ** 3).toFixed(1)} GiB free for ${dataDir}`
    const verdict = free < failBelowBytes ? 'fail' : free < warnBelowBytes ? 'warn' : 'ok'
    return {
      name,
      verdict,
      detail,
      ...(verdict === 'ok' ? {} : { remedy: 'make room: Postgres stops when the disk is full' }),
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return { name, verdict: 'off', detail: `${dataDir} is not there yet` }
  }
}
