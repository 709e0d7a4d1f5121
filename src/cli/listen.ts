import { once } from 'node:events'
import type { Express } from 'express'

export type Listening = ReturnType<Express['listen']>

/** Has an express app listen, and rejects where it cannot. Port 0 takes a free one. */
export async function listen(app: Express, host: string, port: number): Promise<Listening> {
  // Without a callback: express would call it with the error as well as with none.
  const server = app.listen(port, host)
  await once(server, 'listening')
  return server
}

export function portOf(server: Listening): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

export async function endListening(server: Listening): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
