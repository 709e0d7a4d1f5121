import { createTransport, type NodemailerError } from 'nodemailer'

export type SmtpVerdict = { ok: true } | { ok: false; detail: string }

/** Logs in to the mail server as the provider does, and sends nothing. For `carillon doctor`. */
export async function verifySmtp(url: string, timeoutMs: number): Promise<SmtpVerdict> {
  const transport = createTransport({
    url,
    requireTLS: URL.parse(url)?.password !== '',
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
  })
  try {
    await transport.verify()
    return { ok: true }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const { code, responseCode } = error as NodemailerError
    const detail = responseCode === undefined ? code : `${code}, the server said ${responseCode}`
    return { ok: false, detail: detail ?? error.name }
  } finally {
    transport.close()
  }
}
