/** The lean generator in a process of its own, so that it never shares an event loop with what it measures. */
import { serveParent } from '../child.ts'
import { createLeanGenerator, type LeanClosedLoop, type LeanOpenLoop } from './lean-generator.ts'
import { type LeanHttp, openLeanHttp } from './lean-http.ts'
import { type LeanAim, leanRequests } from './lean-requests.ts'

export interface LeanTarget {
  url: string
  apiKey: string
  /** How many requests can be under way; the others wait, and their time runs. */
  connections: number
  aim: LeanAim
}

let http: LeanHttp | undefined
let generator: ReturnType<typeof createLeanGenerator> | undefined

serveParent({
  async aim({ url, apiKey, connections, aim }: LeanTarget) {
    http = await openLeanHttp(url, apiKey, connections)
    generator = createLeanGenerator(http, leanRequests(aim))
  },
  open: (loop: LeanOpenLoop) => generator!.open(loop),
  closed: (loop: LeanClosedLoop) => generator!.closed(loop),
  stop: () => http?.close(),
})
