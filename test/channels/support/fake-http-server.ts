import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { localhostTls } from './localhost-tls.ts'

export interface ReceivedRequest {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

/** Answers as the handler says, and remembers what was asked. */
export async function startHttpServer(
  handle: (response: ServerResponse, request: ReceivedRequest) => void,
  { tls = false } = {},
) {
  const received: ReceivedRequest[] = []
  async function onRequest(incoming: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const request = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString('utf8'),
    }
    received.push(request)
    handle(response, request)
  }
  const server = tls ? createTlsServer(localhostTls, onRequest) : createServer(onRequest)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
