import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/** Fields that may carry a person's data or a secret, wherever they stand in a log line. */
const redacted = [
  'email',
  'phone',
  'address',
  'to',
  'cc',
  'bcc',
  'subject',
  'body',
  'bodyHtml',
  'data',
  'payload',
  'password',
  'secret',
  'secrets',
  'apiKey',
  'authorization',
  'databaseUrl',
  'connectionString',
]

/**
 * JSON lines on standard error. Errors are logged by class, code and stack alone: what Postgres or a provider says of a
 * value (`detail`, `where`, `parameters`) stays out.
 */
export function createLogger(level: string): Logger {
  return pino(
    {
      name: 'carillon',
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: redacted.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
      serializers: { err: describeError },
    },
    pino.destination({ dest: 2, sync: false }),
  )
}

export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const cause = error.cause === undefined ? undefined : describeError(error.cause)
  return { type: error.name, code, message: scrub(error.message), stack: scrub(error.stack ?? ''), cause }
}

/** Takes addresses, URLs' credentials and queries, and quoted values out of a message. */
function scrub(text: string): string {
  return text
    .replaceAll(/[^\s"'<>@]+@[^\s"'<>@]+\.[^\s"'<>@]+/g, '[address]')
    .replaceAll(/(\w+:\/\/)[^\s/@]+@/g, '$1[credentials]@')
    .replaceAll(/"[^"\n]{40,}"/g, '"…"')
    .replaceAll(/\+\d{7,15}\b/g, '[phone]')
}
