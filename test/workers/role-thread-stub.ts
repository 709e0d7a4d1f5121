/** Stands in for a role in its thread: does at a wake-up what it was given to do, and tells of it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadNews, ThreadOrder } from '../../src/workers/role-thread.ts'

const { lives, stop } = workerData as { lives: SharedArrayBuffer; stop: 'end' | 'ignore' }
const life = Atomics.add(new Int32Array(lives), 0, 1)
const tell = (news: ThreadNews) => parentPort!.postMessage(news)

tell({ state: 'leading' })
parentPort!.on('message', (order: ThreadOrder) => {
  if (order === 'stop') {
    if (stop === 'end') process.exit()
    return
  }
  if (life === 0) throw new Error('the first life ends here')
  tell({ metric: 'published', values: [life] })
  tell({ metric: 'failed', values: ['fenced'] })
  tell({ ring: `after ${order.rung}` })
})
