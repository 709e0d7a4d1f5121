import { Agent, request } from 'undici'
import { type Clock, systemClock } from '../clock.ts'
import { OperationalError } from '../errors.ts'
import { isTrustFault, knownAuthorities } from './tls.ts'

export interface OauthClient {
  tokenUrl: string
  clientId: string
  clientSecret: string
  scope?: string
  /** For all of a request. */
  timeoutMs?: number
}

/** Throws OperationalError KAFKA_UNAVAILABLE or KAFKA_REFUSED. No message of it holds the secret or a token. */
export interface TokenSource {
  get(): Promise<string>
  /** The broker does not take it: the next one is asked for anew. */
  forget(token: string): void
}

/** Before its end a token is replaced; more than the ten seconds by which kafkajs renews a session early. */
const renewBeforeMs = 60_000
const retryRenewalMs = 5_000
const usualTimeoutMs = 10_000
const mostBytes = 64 * 1024

interface Held {
  token: string
  renewAtMs: number
  endsAtMs: number
}

/** Access tokens by the client credentials grant (RFC 6749, 4.4), one request at a time, kept until shortly before their end. */
export function createTokenSource(client: OauthClient, clock: Clock = systemClock): TokenSource {
  let held: Held | undefined
  let asking: Promise<string> | undefined
  const nowMs = () => clock.now().getTime()

  async function renew(): Promise<string> {
    try {
      const { token, lifetimeMs } = await askForToken(client)
      const margin = Math.min(renewBeforeMs, lifetimeMs / 2)
      held = { token, renewAtMs: nowMs() + lifetimeMs - margin, endsAtMs: nowMs() + lifetimeMs }
      return token
    } catch (error) {
      if (!held || nowMs() >= held.endsAtMs) throw error
      held.renewAtMs = nowMs() + retryRenewalMs // it is good for a while yet
      return held.token
    }
  }

  return {
    async get() {
      if (held && nowMs() < held.renewAtMs) return held.token
      asking ??= renew().finally(() => {
        asking = undefined
      })
      return asking
    },
    forget(token) {
      if (held?.token === token) held = undefined
    },
  }
}

async function askForToken(client: OauthClient): Promise<{ token: string; lifetimeMs: number }> {
  const { origin, pathname } = new URL(client.tokenUrl)
  const place = `the token endpoint ${origin}${pathname}` // without its query
  const { status, body } = await exchange(client, place)
  if (status !== 200) {
    const { error } = body as { error?: unknown }
    const said =
      typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) && error !== client.clientSecret ? ` ${error}` : ''
    const passing = status === 408 || status === 429 || status >= 500
    throw new OperationalError(passing ? 'KAFKA_UNAVAILABLE' : 'KAFKA_REFUSED', `${place} answers ${status}${said}`)
  }
  const { access_token: token, expires_in: seconds } = body as { access_token?: unknown; expires_in?: unknown }
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new OperationalError('KAFKA_REFUSED', `${place} answers without an access token`)
  const lifetimeMs = Number(seconds) * 1_000
  return { token, lifetimeMs: lifetimeMs > 0 ? lifetimeMs : 0 } // it does not say how long: for this once
}

/** The answer's status and its JSON; `{}` where it is none. */
async function exchange(client: OauthClient, place: string): Promise<{ status: number; body: object }> {
  const { clientId, clientSecret, scope, tokenUrl } = client
  const credentials = [clientId, clientSecret].map(formEncoded).join(':')
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) })
  const agent = new Agent({ connect: { ca: knownAuthorities() }, maxResponseSize: mostBytes })
  try {
    const answer = await request(tokenUrl, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: form.toString(),
      signal: AbortSignal.timeout(client.timeoutMs ?? usualTimeoutMs),
    })
    return { status: answer.statusCode, body: objectOf(await answer.body.text()) }
  } catch (error) {
    const { code, name } = error as { code?: string; name: string }
    throw new OperationalError(
      isTrustFault(code) ? 'KAFKA_REFUSED' : 'KAFKA_UNAVAILABLE',
      `${place} cannot be asked: ${code ?? name}`,
    )
  } finally {
    await agent.destroy()
  }
}

function objectOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {} // judged by its status and by what it lacks
  }
}

/** RFC 6749, 2.3.1: both parts are form-encoded before they are joined. */
const formEncoded = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
