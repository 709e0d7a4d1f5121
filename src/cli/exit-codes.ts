import { ConfigError } from '../config/config.ts'
import { OperationalError } from '../platform/errors.ts'

/** What the process says when it ends: sysexits, where they have a word for it. Stable; scripts lean on them. */
export const exitCodes = { ok: 0, failed: 1, unavailable: 69, temporary: 75, config: 78 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A command that cannot go on, with the one line that says why and what to do. */
export class CommandError extends OperationalError {
  readonly exitCode: ExitCode

  constructor(code: string, message: string, exitCode: ExitCode = exitCodes.failed, options?: ErrorOptions) {
    super(code, message, options)
    this.exitCode = exitCode
  }
}

export interface Ending {
  code: string
  message: string
  exitCode: ExitCode
}

const ofCode: Record<string, ExitCode> = {
  KAFKA_UNAVAILABLE: exitCodes.unavailable,
  EMBEDDED_POSTGRES_VERSION: exitCodes.config,
  EMBEDDED_POSTGRES_IN_USE: exitCodes.temporary,
  EMBEDDED_POSTGRES_FAILED: exitCodes.unavailable,
}
const network = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'EPIPE'])
/** SQLSTATEs of a Postgres that does not let us in: connection, authorization, no such database, shutting down. */
const closedDoor = /^(08|28|57P0|3D000|53300)/
/** Locks, deadlocks, serialization, timeouts: the same command may well succeed in a moment. */
const passing = /^(40|55P03|57014|53)/

/** The one line and the exit code of whatever ended a command. */
export function endingOf(error: unknown): Ending {
  if (error instanceof ConfigError) return { code: error.code, message: error.message, exitCode: exitCodes.config }
  if (error instanceof CommandError) return { code: error.code, message: error.message, exitCode: error.exitCode }
  const code = codeOf(error)
  if (error instanceof OperationalError) {
    return { code, message: error.message, exitCode: ofCode[code] ?? exitCodes.failed }
  }
  const said = firstLine(error)
  if (
    network.has(code) ||
    closedDoor.test(code) ||
    /timeout exceeded when trying to connect|Connection terminated/.test(said)
  ) {
    return {
      code: 'DATABASE_UNAVAILABLE',
      message: `the database does not let us in (${said.includes(code) ? said : `${code}: ${said}`}): check DATABASE_URL and that Postgres runs`,
      exitCode: exitCodes.unavailable,
    }
  }
  if (passing.test(code)) {
    return { code: 'TEMPORARY', message: `${said} (${code}): try again`, exitCode: exitCodes.temporary }
  }
  return { code: code || 'FAILED', message: `${said}${causeOf(error)}`, exitCode: exitCodes.failed }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

function firstLine(error: unknown): string {
  // Several addresses of one host were tried, and what each said is inside.
  if (error instanceof AggregateError && error.message === '') return firstLine(error.errors[0])
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.split('\n')[0]!
}

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? `: ${firstLine(error.cause)}` : ''
}
