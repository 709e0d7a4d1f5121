import { Worker } from 'node:worker_threads'
import type { Config } from '../config/config.ts'
import type { Logger } from '../platform/logger.ts'
import { statusEventsTopic, type Wake } from '../platform/wake.ts'
import type { Relay, RelayFailure, RelayMetrics, RelayState } from './relay.ts'

/** What the thread is given; see relay-thread-main.ts. */
export interface RelayThreadData {
  config: Config
  databaseUrl: string
}

/** What the thread tells. */
export type RelayThreadNews = { published: number } | { failed: RelayFailure } | { state: RelayState }

/** What the thread is told. */
export type RelayThreadOrder = 'wake' | 'stop'

const restartMs = 1_000
/** Longer than the relay's own patience with a broker. */
const stopPatienceMs = 10_000
/** Pages of 2,000 events of some hundred bytes, two at a time; without a limit the collector would let garbage grow to several times that. */
const resourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 192 }

/**
 * The relay in a thread of its own: encoding and compressing what goes to Kafka neither delays an answer of the API nor
 * takes from the core that plans and settles. A thread that dies is started again; what it had not committed is read again.
 */
export function startRelayThread(on: {
  data: RelayThreadData
  metrics: RelayMetrics
  wake: Pick<Wake, 'on'>
  logger: Pick<Logger, 'error'>
}): Relay {
  let state: RelayState = 'standby'
  let stopping = false
  let thread = start()
  let restart: NodeJS.Timeout | undefined

  function start(): Worker {
    const started = new Worker(new URL('./relay-thread-main.ts', import.meta.url), {
      workerData: on.data,
      resourceLimits,
    })
    started.on('message', (news: RelayThreadNews) => {
      if ('published' in news) on.metrics.published(news.published)
      else if ('failed' in news) on.metrics.failed(news.failed)
      else state = news.state
    })
    started.on('error', (error) => on.logger.error({ err: error }, 'the relay’s thread died'))
    started.on('exit', () => {
      state = 'off'
      if (!stopping) {
        restart = setTimeout(() => {
          thread = start()
        }, restartMs)
      }
    })
    return started
  }

  const order = (what: RelayThreadOrder) => thread.postMessage(what)
  const stopListening = on.wake.on(statusEventsTopic, () => order('wake'))
  return {
    state: () => state,
    async stop() {
      stopping = true
      stopListening()
      clearTimeout(restart)
      if (thread.threadId === -1) return // it has died, and was not started again
      const ended = new Promise((resolve) => thread.once('exit', resolve))
      const limit = setTimeout(() => void thread.terminate(), stopPatienceMs)
      order('stop')
      await ended
      clearTimeout(limit)
    },
  }
}
