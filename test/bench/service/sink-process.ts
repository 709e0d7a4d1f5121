/** The vendor behind the HTTP mail provider: reads each message whole, and takes it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveParent } from '../child.ts'

let taken = 0
const server = createServer((request, response) => void take(request, response))

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume()
  await once(request, 'end')
  response.writeHead(202, { 'content-type': 'application/json' })
  response.end(`{"id":"sink-${++taken}"}`)
}

serveParent({
  async start() {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/messages`
  },
  stop() {
    server.close()
    server.closeAllConnections()
  },
})
