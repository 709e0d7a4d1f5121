import type { Express, Response } from 'express'
import type pg from 'pg'
import {
  createUnsubscribeTokens,
  type UnsubscribeSubject,
  type UnsubscribeTokens,
} from '../../domain/unsubscribe-token.ts'
import type { Clock } from '../../platform/clock.ts'
import { asTenants } from '../../platform/db.ts'
import { loadSigningKeys } from '../../store/signing-keys.ts'
import { describeCategory, unsubscribe } from '../../store/unsubscribe.ts'
import { escapeHtml } from './mailbox-pages.ts'

const policy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const style = `
:root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif }
body { margin: 4rem auto; max-width: 32rem; padding: 0 1.5rem }
h1 { font-size: 1.4rem } button { font: inherit; padding: .5rem 1.2rem; cursor: pointer }`

export interface UnsubscribeDeps {
  /** Role carillon_api. */
  pool: pg.Pool
  clock: Clock
}

/**
 * Where the unsubscribe links of mails lead (RFC 8058). Looking at one, however often and by whatever reads mails, shows a
 * page and changes nothing; a POST acts, be it the mail program's one click or the page's button.
 */
export function addUnsubscribe(app: Express, { pool, clock }: UnsubscribeDeps): void {
  let tokens: Promise<UnsubscribeTokens> | undefined

  async function read(token: string): Promise<UnsubscribeSubject | undefined> {
    tokens ??= loadSigningKeys(pool, 'unsubscribe').then(createUnsubscribeTokens)
    tokens.catch(() => {
      tokens = undefined // the next request asks again
    })
    return (await tokens).read(token)
  }

  app.get('/u/:token', async (request, response) => {
    const subject = await read(request.params.token)
    if (!subject) return answer(response, 404, ...unknown)
    const category = await asTenants(pool, [subject.tenantId], (trx) => describeCategory(trx, subject))
    if (category.required) return answer(response, 200, ...required)
    const about = category.description ?? subject.category
    answer(
      response,
      200,
      'Unsubscribe',
      `<p>Do you want no more messages of this kind: <strong>${escapeHtml(about)}</strong>?</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>`,
    )
  })

  app.post('/u/:token', async (request, response) => {
    const subject = await read(request.params.token)
    if (!subject) return answer(response, 404, ...unknown)
    const done = await asTenants(pool, [subject.tenantId], (trx) => unsubscribe(trx, subject, clock.now()))
    if (done === 'required') return answer(response, 403, ...required)
    answer(response, 200, 'You are unsubscribed', '<p>You get no more messages of this kind.</p>')
  })
}

const unknown = [
  'This link is not valid',
  '<p>Perhaps it was cut off. Open it from the message once more.</p>',
] as const
const required = [
  'These messages cannot be switched off',
  '<p>They belong to your account, for example to its security.</p>',
] as const

function answer(response: Response, status: number, title: string, body: string): void {
  response.status(status)
  response.setHeader('content-security-policy', policy)
  response.setHeader('x-robots-tag', 'noindex')
  response
    .type('html')
    .send(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${style}</style></head><body><h1>${title}</h1>${body}</body></html>`)
}
