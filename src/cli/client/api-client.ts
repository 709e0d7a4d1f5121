import { z } from 'zod'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { readServerSentEvents } from './server-sent-events.ts'

/** The running service, as `carillon send` and the demo talk to it: by its public GraphQL alone. */
export interface ApiClient {
  /** Gives the id once the notification is stored. Throws CommandError with the API's own code. */
  send(input: Record<string, unknown>): Promise<FollowedNotification>
  read(id: string): Promise<FollowedNotification>
  /** The notification after each change, from its state at the beginning; ends when the service ends it. */
  changes(id: string, signal: AbortSignal): AsyncIterable<FollowedNotification>
}

const deliverySchema = z.object({
  channel: z.string(),
  status: z.string(),
  reason: z.string().nullish(),
  attempts: z.array(
    z.object({
      attemptNumber: z.number(),
      provider: z.string(),
      status: z.string(),
      error: z.string().nullish(),
    }),
  ),
})

const notificationSchema = z.object({
  id: z.string(),
  status: z.string(),
  channels: z.array(z.string()),
  error: z.string().nullish(),
  scheduledAt: z.string(),
  nextRetryAt: z.string().nullish(),
  deliveries: z.array(deliverySchema),
})

export type FollowedNotification = z.output<typeof notificationSchema>

const fields = `{
  id status channels error scheduledAt nextRetryAt
  deliveries { channel status reason attempts { attemptNumber provider status error } }
}`

export const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
})

export function createApiClient(service: { graphqlUrl: string; apiKey: string }): ApiClient {
  async function post(query: string, variables: object, accept: string, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(service.graphqlUrl, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.apiKey}`, 'content-type': 'application/json', accept },
      body: JSON.stringify({ query, variables }),
      signal: signal ?? AbortSignal.timeout(30_000),
    }).catch((error: unknown) => {
      if (signal?.aborted) throw error
      throw unreachable(service.graphqlUrl, error)
    })
    return response
  }

  async function ask(field: string, query: string, variables: object): Promise<FollowedNotification> {
    const response = await post(query, variables, 'application/graphql-response+json, application/json')
    const said: unknown = await response.json().catch(() => undefined)
    return notificationIn(field, said, response.status)
  }

  return {
    send: (input) =>
      ask(
        'sendNotification',
        `mutation Send($input: SendNotificationInput!) { sendNotification(input: $input) ${fields} }`,
        { input },
      ),
    read: (id) => ask('notification', `query Read($id: ID!) { notification(id: $id) ${fields} }`, { id }),
    async *changes(id, signal) {
      const query = `subscription Follow($id: ID!) { notificationStatusChanged(notificationId: $id) ${fields} }`
      const response = await post(query, { id }, 'text/event-stream', signal)
      if (!response.ok || !response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
        const said: unknown = await response.json().catch(() => undefined)
        notificationIn('notificationStatusChanged', said, response.status)
        return
      }
      for await (const { event, data } of readServerSentEvents(response.body)) {
        if (event === 'complete') return
        if (event === 'next') yield notificationIn('notificationStatusChanged', JSON.parse(data), response.status)
      }
    },
  }
}

function notificationIn(field: string, said: unknown, httpStatus: number): FollowedNotification {
  const answer = answerSchema.safeParse(said)
  const error = answer.data?.errors?.[0]
  if (error) throw refused(error.message, error.extensions?.code)
  const found = answer.data?.data?.[field]
  if (answer.success && found === null) throw refused('there is no such notification', 'NOT_FOUND')
  const notification = notificationSchema.safeParse(found)
  if (notification.success) return notification.data
  throw new CommandError('UNEXPECTED_ANSWER', `the service gave an answer that is not Carillon's (HTTP ${httpStatus})`)
}

const tryAgain = new Set(['RATE_LIMITED', 'UNAVAILABLE', 'SHUTTING_DOWN'])

export function refused(message: string, code: unknown): CommandError {
  const named = typeof code === 'string' ? code : 'REFUSED'
  const exitCode = tryAgain.has(named) ? exitCodes.temporary : exitCodes.failed
  return new CommandError(named, `the service refused: ${message} (${named})`, exitCode)
}

export function unreachable(url: string, error: unknown): CommandError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  const code = cause && 'code' in cause ? String(cause.code) : error instanceof Error ? error.name : 'unknown'
  return new CommandError(
    'SERVICE_UNAVAILABLE',
    `no service answers at ${new URL(url).origin} (${code}): run "carillon start", or name another one with --url`,
    exitCodes.unavailable,
  )
}
