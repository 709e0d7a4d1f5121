import { type ResourceLimits, Worker } from 'node:worker_threads'
import type { Config } from '../config/config.ts'
import type { Logger } from '../platform/logger.ts'
import { statusEventsTopic, type Wake } from '../platform/wake.ts'
import type { BridgeMetrics, BridgeState } from './bridge.ts'
import type { RelayMetrics, RelayState } from './relay.ts'

/** The roles that may have a thread of their own. */
export interface ThreadRoles {
  relay: { metrics: RelayMetrics; state: RelayState }
  bridge: { metrics: BridgeMetrics; state: BridgeState }
}
export type ThreadRole = keyof ThreadRoles

/** What the thread is given; see role-thread-main.ts. */
export interface ThreadData {
  role: ThreadRole
  config: Config
  databaseUrl: string
}

/** What the thread tells: its state, a call of one of its metrics, a topic to ring. */
export type ThreadNews = { state: string } | { metric: string; values: unknown[] } | { ring: string }

/** What the thread is told: a topic was rung, or it is time to stop. */
export type ThreadOrder = { rung: string } | 'stop'

interface ThreadOptions<State> {
  first: State
  /** Topics that it is woken by. */
  hears: readonly string[]
  /** Without it the collector would let garbage grow to several times that. */
  resourceLimits: ResourceLimits
  /** How long a stop waits before the thread is cut off: longer than the role's own patience with a broker. */
  stopPatienceMs: number
}

const threads: { [Role in ThreadRole]: ThreadOptions<ThreadRoles[Role]['state']> } = {
  relay: {
    first: 'standby',
    hears: [statusEventsTopic],
    // Pages of 2,000 events, some at a time. With 16 and 192 the collector took a third of the relay's time.
    resourceLimits: { maxYoungGenerationSizeMb: 96, maxOldGenerationSizeMb: 1024 },
    stopPatienceMs: 10_000,
  },
  bridge: {
    first: 'connecting',
    hears: [],
    // A fetch of a few megabytes, what it becomes, and the pages that are made of it.
    resourceLimits: { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 384 },
    stopPatienceMs: 15_000,
  },
}

const entry = new URL('./role-thread-main.ts', import.meta.url)

export interface RoleThreadOptions<Role extends ThreadRole> {
  data: Omit<ThreadData, 'role'>
  metrics: ThreadRoles[Role]['metrics']
  wake: Pick<Wake, 'on' | 'ring'>
  logger: Pick<Logger, 'error'>
  /** What the thread runs. */
  entry?: URL
  /** How long a dead thread stays dead. */
  restartMs?: number
  stopPatienceMs?: number
}

export interface RoleThread<State> {
  state(): State | 'off'
  stop(): Promise<void>
}

/**
 * A role in a thread of its own: encoding and compressing what goes to Kafka, and reading what comes from there, neither
 * delays an answer of the API nor takes from the core that plans and settles. A thread that dies is started again; what it
 * had not committed is read again.
 */
export function startRoleThread<Role extends ThreadRole>(
  role: Role,
  on: RoleThreadOptions<Role>,
): RoleThread<ThreadRoles[Role]['state']> {
  const { first, hears, resourceLimits, stopPatienceMs } = threads[role]
  const metrics = on.metrics as unknown as Record<string, (...values: unknown[]) => void>
  let state: ThreadRoles[Role]['state'] | 'off' = first
  let stopping = false
  let restart: NodeJS.Timeout | undefined
  let thread = start()

  function start(): Worker {
    const started = new Worker(on.entry ?? entry, { workerData: { role, ...on.data }, resourceLimits })
    started.on('message', (news: ThreadNews) => {
      if ('state' in news) state = news.state as typeof state
      else if ('ring' in news) on.wake.ring(news.ring)
      else metrics[news.metric]!(...news.values)
    })
    started.on('error', (error) => on.logger.error({ err: error }, `the ${role}’s thread died`))
    started.on('exit', () => {
      state = 'off'
      if (!stopping) {
        restart = setTimeout(() => {
          thread = start()
        }, on.restartMs ?? 1_000)
      }
    })
    return started
  }

  const order = (what: ThreadOrder) => thread.postMessage(what)
  const deaf = hears.map((topic) => on.wake.on(topic, () => order({ rung: topic })))
  return {
    state: () => state,
    async stop() {
      stopping = true
      for (const off of deaf) off()
      clearTimeout(restart)
      if (thread.threadId === -1) return // it has died, and was not started again
      const ended = new Promise((resolve) => thread.once('exit', resolve))
      const limit = setTimeout(() => void thread.terminate(), on.stopPatienceMs ?? stopPatienceMs)
      order('stop')
      await ended
      clearTimeout(limit)
    },
  }
}
