import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { CaptureMailbox } from '../../channels/capture/capture-mailbox.ts'
import { framePolicy, mailboxPage, messagePage, pagePolicy } from './mailbox-pages.ts'
import { sendProblem } from './problem.ts'
import { setDataHeaders } from './security-headers.ts'
import { addUnsubscribe, type UnsubscribeDeps } from './unsubscribe-pages.ts'

export interface Readiness {
  ok: boolean
  checks: Record<string, { ok: boolean; detail?: string }>
}

export interface RouteDeps {
  metrics: Registry
  readiness(): Promise<Readiness>
  isClosing(): boolean
  logger: Logger
  /** Only where the API is served. */
  unsubscribe?: UnsubscribeDeps
  /** Only in development. */
  mailbox?: Pick<CaptureMailbox, 'list' | 'get'>
}

/** Everything that is not GraphQL. */
export function createRoutes(deps: RouteDeps): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use((_request, response, next) => {
    setDataHeaders(response)
    next()
  })

  app.get('/health/live', (_request, response) => {
    response.json({ ok: true })
  })

  app.get('/health/ready', async (_request, response) => {
    const readiness: Readiness = deps.isClosing()
      ? { ok: false, checks: { server: { ok: false, detail: 'stopping' } } }
      : await deps.readiness()
    if (readiness.ok) {
      response.json(readiness)
      return
    }
    const failing = Object.keys(readiness.checks).filter((name) => !readiness.checks[name]!.ok)
    const detail = `failing: ${failing.join(', ')}`
    sendProblem(response, { status: 503, title: 'Not ready', code: 'UNAVAILABLE', detail, checks: readiness.checks })
  })

  app.get('/metrics', async (_request, response) => {
    const text = await deps.metrics.metrics()
    response.setHeader('content-type', deps.metrics.contentType)
    response.end(text)
  })

  if (deps.unsubscribe) addUnsubscribe(app, deps.unsubscribe)
  if (deps.mailbox) addMailbox(app, deps.mailbox)

  app.use((request: Request, response: Response) => {
    sendProblem(response, {
      status: 404,
      title: 'Not found',
      code: 'NOT_FOUND',
      detail: `${request.method} ${request.path}`,
    })
  })
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    const status = statusOf(error)
    if (status >= 500) deps.logger.error({ err: error }, 'a request failed through a fault of ours')
    const code = status >= 500 ? 'INTERNAL' : 'BAD_USER_INPUT'
    sendProblem(response, { status, title: status >= 500 ? 'Internal error' : 'Bad request', code })
  })
  return app
}

function addMailbox(app: Express, mailbox: Pick<CaptureMailbox, 'list' | 'get'>): void {
  const query = (value: unknown) => (typeof value === 'string' ? value : undefined)

  app.get('/dev/mailbox', async (request, response) => {
    const html = await mailboxPage(mailbox, {
      channel: query(request.query.channel),
      before: query(request.query.before),
    })
    response.setHeader('content-security-policy', pagePolicy)
    response.type('html').send(html)
  })

  app.get('/dev/mailbox/:id', async (request, response, next) => {
    const captured = await mailbox.get(request.params.id)
    if (!captured) return next()
    response.setHeader('content-security-policy', pagePolicy)
    response.type('html').send(messagePage(captured))
  })

  app.get('/dev/mailbox/:id/html', async (request, response, next) => {
    const captured = await mailbox.get(request.params.id)
    if (captured?.message.bodyHtml === undefined) return next()
    response.setHeader('content-security-policy', framePolicy)
    response.setHeader('x-frame-options', 'SAMEORIGIN')
    response.type('html').send(captured.message.bodyHtml)
  })
}

function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}
