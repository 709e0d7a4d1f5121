/** The thread of a role: see role-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/logger.ts'
import { releaseStartupMemory } from '../platform/memory.ts'
import type { ThreadData, ThreadNews, ThreadOrder, ThreadRoles } from './role-thread.ts'

const { role, config, databaseUrl } = workerData as ThreadData
const port = parentPort!
const logger = createLogger(config.LOG_LEVEL)
const tell = (news: ThreadNews) => port.postMessage(news)
const listeners = new Map<string, Set<() => void>>()

const on = {
  config,
  databaseUrl,
  clock: systemClock,
  logger,
  onState: (state: string) => tell({ state }),
  onError: (error: Error) => logger.error({ err: error }, 'a database connection failed'),
  wake: {
    on(topic: string, listener: () => void) {
      const all = listeners.get(topic) ?? new Set()
      listeners.set(topic, all.add(listener))
      return () => all.delete(listener)
    },
    ring: (topic: string) => tell({ ring: topic }),
  },
}

/** Metrics whose every call is told. */
function told<Metrics extends object>(): Metrics {
  return new Proxy({} as Metrics, {
    get:
      (_, metric) =>
      (...values: unknown[]) =>
        tell({ metric: String(metric), values }),
  })
}

async function start() {
  if (role === 'relay') {
    const { openRelayPool, startRelayRole } = await import('./relay-role.ts')
    const pool = openRelayPool(on)
    return { pool, running: startRelayRole({ ...on, pool, metrics: told<ThreadRoles['relay']['metrics']>() }) }
  }
  const { openBridgePool, startBridgeRole } = await import('./bridge-role.ts')
  const pool = openBridgePool(on)
  return { pool, running: startBridgeRole({ ...on, pool, metrics: told<ThreadRoles['bridge']['metrics']>() }) }
}

const { pool, running } = await start()
releaseStartupMemory(logger)
port.on('message', async (order: ThreadOrder) => {
  if (order !== 'stop') {
    for (const listener of listeners.get(order.rung) ?? []) listener()
    return
  }
  await running.stop()
  await pool.end()
  process.exit() // of this thread: kafkajs leaves timers behind that would keep it
})
