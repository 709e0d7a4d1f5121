import type { LoadItem } from './load-item.ts'

/** What came of one request, in notifications. */
export interface LoadAnswer {
  accepted: number
  duplicates: number
  rejected: number
}

/** How the load reaches the service under test. Rejects where nothing is known about the request's fate. */
export interface Transport {
  send(items: readonly LoadItem[]): Promise<LoadAnswer>
  close(): Promise<void>
}

export interface TransportTarget {
  kind: 'direct' | 'graphql'
  url: string
  /** Of GraphQL. */
  apiKey?: string
}
