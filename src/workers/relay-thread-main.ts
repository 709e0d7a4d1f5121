/** The relay's thread: see relay-thread.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../platform/clock.ts'
import { openPool } from '../platform/db.ts'
import { createLogger } from '../platform/logger.ts'
import { releaseStartupMemory } from '../platform/memory.ts'
import { startRelayRole } from './relay-role.ts'
import type { RelayThreadData, RelayThreadNews, RelayThreadOrder } from './relay-thread.ts'

const { config, databaseUrl } = workerData as RelayThreadData
const port = parentPort!
const logger = createLogger(config.LOG_LEVEL)
const tell = (news: RelayThreadNews) => port.postMessage(news)
const listeners = new Set<() => void>()
const pool = openPool({
  databaseUrl,
  role: 'carillon_worker',
  max: 2,
  applicationName: 'carillon_relay',
  onError: (error) => logger.error({ err: error }, 'a database connection failed'),
})

releaseStartupMemory(logger)
const relay = startRelayRole({
  config,
  pool,
  databaseUrl,
  clock: systemClock,
  logger,
  metrics: {
    published: (published) => tell({ published }),
    failed: (failed) => tell({ failed }),
  },
  wake: {
    on(_topic, listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  },
  onState: (state) => tell({ state }),
})

port.on('message', async (order: RelayThreadOrder) => {
  if (order === 'wake') {
    for (const listener of listeners) listener()
    return
  }
  await relay.stop()
  await pool.end()
  process.exit() // of this thread: kafkajs leaves timers behind that would keep it
})
