import type { ServerResponse } from 'node:http'

/** RFC 9457: what went wrong outside GraphQL. `code` is the same stable code as in GraphQL's extensions. */
export interface Problem {
  status: number
  title: string
  code: string
  detail?: string
  [extension: string]: unknown
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  const body = JSON.stringify({ type: 'about:blank', ...problem })
  response.writeHead(problem.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
