import { createSmtpProvider } from '../../src/channels/email/smtp-provider.ts'
import { createWebhookProvider } from '../../src/channels/webhook/webhook-provider.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { type ConformanceCase, conformanceSuite, type Stage } from './conformance.ts'
import { startHttpServer } from './support/fake-http-server.ts'
import { closedPort, type SmtpScript, startSmtpServer } from './support/fake-smtp-server.ts'
import { everythingPrivate, testMessage } from './support/test-message.ts'

/** For vendors that answer: never reached. */
const patienceMs = 5_000
/** For vendors that fall silent; long enough for what comes before the silence. */
const timeoutMs = 400

const permanent = { kind: 'rejected', reason: 'permanent', retryable: false } as const
const transient = { kind: 'rejected', reason: 'transient', retryable: true } as const
const throttled = { kind: 'rejected', reason: 'throttled', retryable: true } as const
const misconfigured = { kind: 'rejected', reason: 'misconfigured', retryable: false } as const
const invalidRecipient = { kind: 'rejected', reason: 'invalid_recipient', retryable: false } as const
const contentRefused = { kind: 'rejected', reason: 'content_refused', retryable: false } as const
const unknownTimeout = { kind: 'unknown', reason: 'timeout' } as const
const unknownTransient = { kind: 'unknown', reason: 'transient' } as const

type HttpHandler = Parameters<typeof startHttpServer>[0]

async function webhookStage(handle: HttpHandler | 'hang', timeoutMs = patienceMs, port?: number): Promise<Stage> {
  const { promise: silence, resolve: fallSilent } = Promise.withResolvers<void>()
  const server = await startHttpServer(handle === 'hang' ? () => fallSilent() : handle)
  const settings = { timeoutMs, allowHttp: true, allowPrivateAddresses: true }
  const address = `http://127.0.0.1:${port ?? server.port}/quasimodo?key=hunter2`
  return {
    provider: createWebhookProvider(settings, systemClock),
    message: testMessage('webhook', { address }),
    silence,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function status(code: number, expected: ConformanceCase['expected'], headers: Record<string, string> = {}) {
  const meets = `HTTP ${code} ${JSON.stringify(headers)}`
  return { meets, expected, stage: () => webhookStage((response) => response.writeHead(code, headers).end('no')) }
}

conformanceSuite('webhook', [
  status(200, { kind: 'accepted' }),
  status(204, { kind: 'accepted' }),
  status(301, permanent, { location: 'http://127.0.0.1:1/' }),
  status(307, permanent, { location: '/elsewhere' }),
  status(400, permanent),
  status(401, { ...misconfigured, retryable: true }),
  status(403, { ...misconfigured, retryable: true }),
  status(404, permanent),
  status(408, transient),
  status(410, { kind: 'rejected', reason: 'endpoint_disabled', retryable: false }),
  status(413, contentRefused),
  status(422, permanent),
  status(425, transient),
  status(429, transient),
  status(429, { ...throttled, retryAfterMs: 7_000 }, { 'retry-after': '7' }),
  status(429, { ...throttled, retryAfterMs: 0 }, { 'retry-after': 'Fri, 01 May 2020 12:00:00 GMT' }),
  status(429, transient, { 'retry-after': 'soon' }),
  status(500, transient),
  status(502, transient),
  status(503, transient),
  status(503, { ...throttled, retryAfterMs: 120_000 }, { 'retry-after': '120' }),
  status(504, transient),
  { meets: 'a hang', expected: unknownTimeout, stage: () => webhookStage('hang', timeoutMs) },
  {
    meets: 'a stop by the caller in a hang',
    expected: unknownTransient,
    isStopped: true,
    stage: () => webhookStage('hang'),
  },
  {
    meets: 'a reset after the request',
    expected: unknownTransient,
    stage: () => webhookStage((response) => response.socket?.resetAndDestroy()),
  },
  {
    meets: 'a close without an answer',
    expected: unknownTransient,
    stage: () => webhookStage((response) => response.socket?.end()),
  },
  {
    meets: 'garbage for an answer',
    expected: unknownTransient,
    stage: () => webhookStage((response) => response.socket?.end(`${everythingPrivate}\r\n\r\n`)),
  },
  {
    meets: 'a closed port',
    expected: transient,
    stage: async () => webhookStage('hang', patienceMs, await closedPort()),
  },
  {
    meets: 'an accepting status whose body never ends',
    expected: { kind: 'accepted' },
    stage: () => webhookStage((response) => response.writeHead(200).write('…'), timeoutMs),
  },
  {
    meets: 'a refusing status with an endless body',
    expected: permanent,
    stage: () =>
      webhookStage((response) => {
        response.writeHead(400)
        const pour = () => {
          while (!response.destroyed && response.write('no '.repeat(10_000)));
        }
        response.on('drain', pour)
        pour()
      }),
  },
  {
    meets: 'an echo of everything private',
    expected: permanent,
    stage: () => webhookStage((response) => response.writeHead(400).end(everythingPrivate)),
  },
  {
    meets: 'an echo of its own request',
    expected: transient,
    stage: () =>
      webhookStage((response, { headers, body }) => response.writeHead(500).end(JSON.stringify(headers) + body)),
  },
])

interface SmtpStageOptions {
  cc?: string[]
  timeoutMs?: number
  port?: number
}

async function smtpStage(
  script: SmtpScript,
  { cc, timeoutMs = patienceMs, port }: SmtpStageOptions = {},
): Promise<Stage> {
  const server = await startSmtpServer(script)
  const url = `smtp://quasimodo:hunter2@127.0.0.1:${port ?? server.port}?requireTLS=false`
  return {
    provider: createSmtpProvider({ url, from: 'Bells <bells@carillon.example>', timeoutMs }, systemClock),
    message: testMessage('email', cc ? { email: { cc } } : {}),
    silence: server.silence,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function smtp(meets: string, script: SmtpScript, expected: ConformanceCase['expected'], options?: SmtpStageOptions) {
  return { meets: `${meets} ${JSON.stringify(script)}`, expected, stage: () => smtpStage(script, options) }
}

const copy = { cc: ['claude@copies.example'] }
const hurry = { timeoutMs }

conformanceSuite('smtp', [
  smtp('a queue', {}, { kind: 'accepted' }),
  smtp('a closing greeting', { greeting: '421 4.3.2 shutting down' }, transient),
  smtp('an unwelcoming greeting', { greeting: '554 5.7.1 your host is listed' }, misconfigured),
  smtp('a bad password', { auth: '535 5.7.8 bad credentials' }, misconfigured),
  smtp('a weak mechanism', { auth: '534 5.7.9 mechanism too weak' }, misconfigured),
  smtp('a passing fault of authentication', { auth: '454 4.7.0 try later' }, throttled),
  smtp('authentication required', { mail: ['530 5.7.0 authenticate first'] }, misconfigured),
  smtp('a refused sender', { mail: ['553 5.1.8 sender not owned'] }, misconfigured),
  smtp('a sender over quota', { mail: ['451 4.7.1 slow down'] }, throttled),
  smtp('greylisting', { rcpt: ['450 4.2.0 greylisted'] }, transient),
  smtp('a busy server', { rcpt: ['421 try later'] }, transient),
  smtp('a local error', { rcpt: ['451 4.3.0 local error'] }, transient),
  smtp('too little room', { rcpt: ['452 4.2.2 over quota'] }, transient),
  smtp('throttling', { rcpt: ['450 4.7.28 rate limited'] }, throttled),
  smtp('no such user', { rcpt: ['550 5.1.1 no such user'] }, invalidRecipient),
  smtp('no such user, plainly', { rcpt: ['550 unknown'] }, invalidRecipient),
  smtp('a moved user', { rcpt: ['551 5.1.6 moved'] }, invalidRecipient),
  smtp('a bad mailbox name', { rcpt: ['553 5.1.3 bad syntax'] }, invalidRecipient),
  smtp('a disabled mailbox', { rcpt: ['550 5.2.1 disabled'] }, invalidRecipient),
  smtp('a full mailbox', { rcpt: ['552 5.2.2 full'] }, permanent),
  smtp('a denied relay', { rcpt: ['554 5.7.1 relay denied'] }, permanent),
  smtp('a refusal of DATA', { data: '554 5.5.1 no valid recipients' }, contentRefused),
  smtp('a message too large', { end: ['552 5.3.4 too large'] }, contentRefused),
  smtp('a spam verdict', { end: ['554 5.7.1 looks like spam'] }, contentRefused),
  smtp('a plain 550 after the content', { end: ['550 rejected'] }, contentRefused),
  smtp('a failed DMARC check', { end: ['550 5.7.26 unauthenticated'] }, misconfigured),
  smtp('a passing fault after the content', { end: ['451 4.3.0 disk'] }, transient),
  smtp('closing after the content', { end: ['421 4.3.2 shutting down'] }, transient),
  smtp('only the recipient refused', { rcpt: ['550 5.1.1 no', '250 ok'] }, invalidRecipient, copy),
  smtp('only the copy refused', { rcpt: ['250 ok', '550 5.1.1 no'] }, { kind: 'accepted' }, copy),
  smtp('both refused, the copy for now', { rcpt: ['550 5.1.1 no', '450 4.2.0 later'] }, invalidRecipient, copy),
  smtp('a silent greeting', { greeting: 'hang' }, transient, hurry),
  smtp('a hang at a recipient', { rcpt: ['hang'] }, transient, hurry),
  smtp('a hang at DATA', { data: 'hang' }, transient, hurry),
  smtp('a hang after the content', { end: ['hang'] }, unknownTimeout, hurry),
  smtp('a reset at the greeting', { greeting: 'reset' }, transient),
  smtp('a reset at a recipient', { rcpt: ['reset'] }, transient),
  smtp('a reset after the content', { end: ['reset'] }, unknownTransient),
  smtp('a greeting of garbage', { greeting: everythingPrivate }, transient),
  smtp('garbage after the content', { end: [everythingPrivate] }, unknownTransient),
  smtp('an echo of everything private', { rcpt: [`550 5.1.1 ${everythingPrivate}`] }, invalidRecipient),
  {
    meets: 'a stop by the caller before the content',
    expected: transient,
    isStopped: true,
    stage: () => smtpStage({ mail: ['hang'] }),
  },
  {
    meets: 'a stop by the caller after the content',
    expected: unknownTransient,
    isStopped: true,
    stage: () => smtpStage({ end: ['hang'] }),
  },
  {
    meets: 'a closed port',
    expected: transient,
    stage: async () => smtpStage({}, { port: await closedPort() }),
  },
])
