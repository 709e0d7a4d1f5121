/** The load generator in a process of its own, so that it never shares an event loop with what it measures. */
import { serveParent } from '../child.ts'
import { createDirectTransport } from './direct-transport.ts'
import { type ClosedLoop, createGenerator, type OpenLoop } from './generator.ts'
import { createGraphqlTransport } from './graphql-transport.ts'
import type { LoadProfile } from './load-item.ts'
import type { Transport, TransportTarget } from './transport.ts'

const generator = createGenerator()
const transports: Transport[] = []

serveParent({
  /** From now on: this way, and like this. Numbers go on, so keys of one run stay different. */
  aim({ target, profile }: { target: TransportTarget; profile: LoadProfile }) {
    const create = target.kind === 'direct' ? createDirectTransport : createGraphqlTransport
    const transport = create(target, profile)
    transports.push(transport)
    generator.use(transport)
  },
  open: (loop: OpenLoop) => generator.runOpen(loop),
  closed: (loop: ClosedLoop) => generator.runClosed(loop),
  settled: (total: number) => generator.hearSettled(total),
  stop: () => Promise.all(transports.map((transport) => transport.close())),
})
