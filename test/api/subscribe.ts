/** Subscriptions as callers hold them: one over SSE, one over WebSocket, with the same face. */
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import type { ApiWorld, Data, GraphqlError } from './api-world.ts'

export interface Held {
  /** The next answer; undefined: the subscription has ended. */
  next(): Promise<{ data?: Data; errors?: GraphqlError[] } | undefined>
  /** The next `count` answers' data. */
  take(count: number): Promise<Data[]>
  stop(): void | Promise<void>
}

type Subscribe = (world: ApiWorld, query: string, variables: object, key?: string) => Promise<Held>

function held(next: Held['next'], stop: Held['stop']): Held {
  return {
    next,
    stop,
    async take(count) {
      const taken: Data[] = []
      while (taken.length < count) {
        const answer = await next()
        if (!answer?.data) throw new Error(`expected data, and got ${JSON.stringify(answer)}`)
        taken.push(answer.data)
      }
      return taken
    },
  }
}

/** GraphQL over SSE, distinct connections mode. */
export const overSse: Subscribe = async (world, query, variables, key = world.key) => {
  const controller = new AbortController()
  const response = await fetch(`${world.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
    signal: controller.signal,
  })
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const answer = (await response.json()) as { errors: GraphqlError[] }
    let given = false
    return held(
      async () => {
        if (given) return undefined
        given = true
        return answer
      },
      () => {},
    )
  }
  const events = readEvents(response.body!.pipeThrough(new TextDecoderStream()))
  return held(
    async () => {
      const step = await events.next()
      return step.done ? undefined : (JSON.parse(step.value) as Data)
    },
    () => controller.abort(),
  )
}

async function* readEvents(text: AsyncIterable<string>): AsyncGenerator<string> {
  let buffer = ''
  for await (const piece of text) {
    buffer += piece
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      const lines = buffer.slice(0, end).split('\n')
      buffer = buffer.slice(end + 2)
      if (lines.includes('event: complete')) return
      const data = lines
        .find((line) => line.startsWith('data:'))
        ?.slice(5)
        .trim()
      if (lines.includes('event: next') && data) yield data
    }
  }
}

/** graphql-transport-ws, by the reference client. */
export const overWebSocket: Subscribe = async (world, query, variables, key = world.key) => {
  const client = createClient({
    url: `${world.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { apiKey: key },
    retryAttempts: 0,
  })
  const events = client.iterate({ query, variables: variables as Record<string, unknown> })
  return held(
    async () => {
      try {
        const step = await events.next()
        return step.done ? undefined : (step.value as Data)
      } catch (error) {
        if (Array.isArray(error)) return { errors: error as GraphqlError[] }
        throw error
      }
    },
    async () => {
      await events.return?.()
      await client.dispose()
    },
  )
}

export const transports: [name: string, subscribe: Subscribe][] = [
  ['SSE', overSse],
  ['WebSocket', overWebSocket],
]
