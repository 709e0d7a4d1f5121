/** The load generator in a process of its own, so that it never shares an event loop with what it measures. */
import { serveParent } from '../child.ts'
import { createDirectTransport } from './direct-transport.ts'
import { type ClosedLoop, createGenerator, type Generator, type OpenLoop } from './generator.ts'
import { createGraphqlTransport } from './graphql-transport.ts'
import type { Transport, TransportTarget } from './transport.ts'

let transport: Transport | undefined
let generator: Generator | undefined

serveParent({
  aim({ target, run }: { target: TransportTarget; run: string }) {
    transport = target.kind === 'graphql' ? createGraphqlTransport(target) : createDirectTransport(target)
    generator = createGenerator(transport, run)
  },
  open: (loop: OpenLoop) => generator!.runOpen(loop),
  closed: (loop: ClosedLoop) => generator!.runClosed(loop),
  settled: (total: number) => generator?.hearSettled(total),
  stop: () => transport?.close(),
})
