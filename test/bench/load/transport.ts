import type { LoadBatch } from './load-item.ts'

/** What came of one request, in notifications. */
export interface LoadAnswer {
  accepted: number
  duplicates: number
  rejected: number
}

/** The service asks for patience: nothing of the request was accepted. */
export class RefusedError extends Error {
  readonly retryAfterMs: number
  constructor(retryAfterMs: number) {
    super(`refused for ${retryAfterMs} ms`)
    this.retryAfterMs = retryAfterMs
  }
}

/** How the load reaches the service under test. Rejects where nothing is known about the request's fate, or with a RefusedError. */
export interface Transport {
  send(batch: LoadBatch): Promise<LoadAnswer>
  close(): Promise<void>
}

export interface TransportTarget {
  /** `single`: one `sendNotification` a notification, and not a bulk call of one. */
  kind: 'direct' | 'graphql' | 'single'
  url: string
  /** Of GraphQL. */
  apiKey?: string
}
