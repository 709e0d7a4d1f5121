import { randomUUID } from 'node:crypto'
import { GraphQLError } from 'graphql'
import type { Logger } from 'pino'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { OverloadedError } from '../../pipeline/accept/overload.ts'

/** What a caller can do something about; stable, and told in `extensions.code`. */
export type FaultCode =
  | 'BAD_USER_INPUT'
  | 'VALIDATION_FAILED'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'IDEMPOTENCY_CONFLICT'
  | 'IN_FLIGHT'
  | 'RATE_LIMITED'
  | 'TOO_COMPLEX'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'SHUTTING_DOWN'
  | 'OVERLOADED'
  | 'UNAVAILABLE'
  | 'INTERNAL'

interface FaultOptions {
  path?: readonly string[]
  faults?: readonly InputFault[]
  /** The HTTP status, for faults before execution; what execution says is always 200. */
  status?: number
}

/** An expected fault: it reaches the caller as it is. */
export function fault(code: FaultCode, message: string, options: FaultOptions = {}): GraphQLError {
  return new GraphQLError(message, {
    extensions: {
      code,
      ...(options.path ? { path: options.path } : {}),
      ...(options.faults ? { faults: options.faults } : {}),
      ...(options.status ? { http: { status: options.status } } : {}),
    },
  })
}

/** The first of some faults speaks for all; the others stand beside it. */
export function validationFault(faults: readonly InputFault[]): GraphQLError {
  const first = faults[0]!
  return fault('VALIDATION_FAILED', `${first.path.join('.')} ${first.message}`, { path: first.path, faults })
}

const unavailable = /^(08|57P|53|25006|57014|40001|40P01)/
const networkCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT'])

/** Whether Postgres is away, overloaded or gave up, so that the same request may well succeed later. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (unavailable.test(code) || networkCodes.has(code)) return true
  return /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error/.test(
    error.message,
  )
}

/** What graphql-yoga says of a request that it cannot read, in codes of its own. */
const requestFaults = new Set(['BAD_REQUEST', 'OPERATION_RESOLUTION_FAILURE'])

/** The error that a resolver threw, under whatever GraphQL put around it. */
function causeOf(error: unknown): unknown {
  let cause = error
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError
  return cause
}

/**
 * Lets expected faults through and hides the rest: a known state of operations gets its code, anything else is INTERNAL
 * with a correlation id that is in the log beside the error.
 */
export function createErrorMask(logger: Logger): (error: unknown) => GraphQLError {
  return (error) => {
    const cause = causeOf(error)
    if (cause instanceof GraphQLError) {
      if (!(error instanceof GraphQLError)) return cause
      // Coercion of variables and arguments is the executor's own, and gives no code.
      const { code } = error.extensions
      if (code === undefined || requestFaults.has(String(code))) error.extensions.code = 'BAD_USER_INPUT'
      delete error.extensions.originalError // it quotes what was sent
      return error
    }
    const place =
      error instanceof GraphQLError ? { nodes: error.nodes, path: error.path, positions: error.positions } : {}
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (cause instanceof OverloadedError) {
      const http = { status: 503, headers: { 'retry-after': String(cause.retryAfterSeconds) } }
      return new GraphQLError(cause.message, { ...place, extensions: { code, http } })
    }
    if (code === 'SHUTTING_DOWN') {
      const message = 'the service is stopping; send the request again'
      return new GraphQLError(message, { ...place, extensions: { code } })
    }
    if (code === 'FOLLOWER_TOO_SLOW') {
      const message = 'events came faster than they were taken; subscribe again'
      return new GraphQLError(message, { ...place, extensions: { code: 'UNAVAILABLE' } })
    }
    if (code === '55P03') {
      const message = 'another request with the same idempotency key, or for the same rows, is under way; send it again'
      return new GraphQLError(message, { ...place, extensions: { code: 'IN_FLIGHT' } })
    }
    if (code === '22021' || code === '22P05') {
      const message = 'the request holds a character that cannot be stored'
      return new GraphQLError(message, { ...place, extensions: { code: 'BAD_USER_INPUT' } })
    }
    if (cause instanceof RangeError && /call stack/.test(cause.message)) {
      // Parsing and coercion are recursive, and callers choose the depth.
      return new GraphQLError('the request is nested too deep', { ...place, extensions: { code: 'TOO_COMPLEX' } })
    }
    const correlationId = randomUUID()
    if (isUnavailable(cause)) {
      logger.warn({ err: cause, correlationId }, 'a request failed because the database did not serve it')
      return new GraphQLError(
        'the database does not answer; send the request again, with the same idempotency key if it sends something',
        { ...place, extensions: { code: 'UNAVAILABLE', correlationId } },
      )
    }
    logger.error({ err: cause, correlationId }, 'a request failed through a fault of ours')
    return new GraphQLError(`something went wrong on our side; tell us ${correlationId}`, {
      ...place,
      extensions: { code: 'INTERNAL', correlationId },
    })
  }
}
