/** The service under test in a process of its own, with an endpoint for the direct transport. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveParent } from '../child.ts'
import { intentOf, type LoadItem } from '../load/load-item.ts'
import type { LoadAnswer } from '../load/transport.ts'
import { monotonicMs } from '../statistics.ts'
import type { Totals } from './observer.ts'
import { type MailProvider, type Service, type ServiceOptions, startService } from './service.ts'

/** What the service has done so far, and at what moment. */
export interface ServiceCounts extends Totals {
  atMs: number
  published: number
  relayFailures: Record<string, number>
  cpuMs: number
  memoryMiB: number
  /** The most it has ever been. */
  peakMemoryMiB: number
}

/** How often the generators hear what is settled, and whoever waits at the terminal hears more. */
const tellSettledMs = 25
const tellCountsMs = 500

let service: Service | undefined
const telling: NodeJS.Timeout[] = []
const server = createServer((request, response) => void accept(request, response))

const parent = serveParent({
  async start(options: ServiceOptions) {
    service = await startService(options)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    telling.push(
      setInterval(() => parent.tell('settled', service!.observer.totals().settled), tellSettledMs),
      setInterval(() => void counts().then((now) => parent.tell('counts', now)), tellCountsMs),
    )
    const { port } = server.address() as AddressInfo
    const urls = { direct: `http://127.0.0.1:${port}`, graphql: `${service.app.url}/graphql` }
    return { urls, changedSettings: service.changedSettings }
  },
  relayState: () => service!.app.relayState(),
  counts,
  useMailProvider: (name: MailProvider) => service!.useMailProvider(name),
  phase: ({ phase, forget }: { phase: number; forget?: boolean }) => service!.observer.phase(phase, forget),
  startOrder: ({ phase, drainFromMs }: { phase: number; drainFromMs: number }) =>
    service!.observer.startOrder(phase, drainFromMs),
  async stop() {
    telling.forEach(clearInterval)
    server.close()
    server.closeAllConnections()
    await service?.app.stop()
  },
})

async function counts(): Promise<ServiceCounts> {
  const { user, system } = process.cpuUsage()
  const feed = { published: await service!.published(), relayFailures: await service!.relayFailures() }
  return {
    ...feed,
    ...service!.observer.totals(),
    atMs: monotonicMs(),
    cpuMs: (user + system) / 1_000,
    memoryMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 2 ** 10),
  }
}

async function accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const items = JSON.parse(Buffer.concat(parts).toString()) as LoadItem[]
    const answers = await service!.app.accept!.submit(items.map(intentOf))
    const count = (status: string) => answers.filter((answer) => answer.status === status).length
    const answer: LoadAnswer = {
      accepted: count('accepted'),
      duplicates: count('duplicate'),
      rejected: count('conflict'),
    }
    response.end(JSON.stringify(answer))
  } catch (error) {
    response.statusCode = 500
    response.end(error instanceof Error ? error.message : String(error))
  }
}
