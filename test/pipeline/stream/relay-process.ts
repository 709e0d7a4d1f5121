/**
 * A relay in a process of its own, to be killed: says its state on standard output whenever it changes, and what it
 * published. It may kill itself at a place that no other process could hit, and may lead without a lock.
 */
import { pino } from 'pino'
import { createFeedEncoder } from '../../../src/pipeline/stream/feed-encoder.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { openPool } from '../../../src/platform/db.ts'
import {
  createTransactionalPublisher,
  type PublisherSession,
  type TransactionalPublisher,
} from '../../../src/platform/kafka/transactional-publisher.ts'
import { createLeaderLock, type LeaderLock } from '../../../src/platform/leader-lock.ts'
import { startRelay } from '../../../src/workers/relay.ts'

/** `produced`: before the commit is asked for; `committing`: when it is on its way; `committed`: before the mirror moves. */
export type DeathPlace = 'produced' | 'committing' | 'committed'

export interface RelayProcessOptions {
  databaseUrl: string
  brokers: string[]
  topicPrefix: string
  /** In the transaction after so many. */
  dieAt?: { place: DeathPlace; after: number }
  /** As one that was cut off from the database and does not know it. */
  withoutLock?: boolean
}

const options = JSON.parse(process.argv[2]!) as RelayProcessOptions
const { databaseUrl, brokers, topicPrefix, dieAt } = options
const logger = pino({ level: 'silent' })
const say = (line: string) => process.stdout.write(`${line}\n`)
/** For the message of a test that fails. */
const complain = (detail: unknown, text?: string) => {
  const { err } = detail as { err?: Error }
  if (err) say(`because ${text}: ${err.message}`)
}
const die = () => process.kill(process.pid, 'SIGKILL')

function mortal(publisher: TransactionalPublisher): TransactionalPublisher {
  let transactions = -1 // the first one carries the position alone
  const wrap = (session: PublisherSession): PublisherSession => ({
    position: session.position,
    send: session.send,
    async commit(position) {
      const due = dieAt && ++transactions > dieAt.after ? dieAt.place : undefined
      if (due === 'produced') die()
      const committing = session.commit(position)
      if (due === 'committing') setImmediate(die)
      await committing
      if (due === 'committed') die()
    },
  })
  return { ...publisher, takeOver: async (as) => wrap(await publisher.takeOver(as)) }
}

const lock = createLeaderLock({ databaseUrl, retryMs: 100, logger })
const noLock: LeaderLock = { acquire: async () => ({ lost: new AbortController().signal, release: async () => {} }) }
const publisher = createTransactionalPublisher({
  brokers,
  clientId: 'relay-process',
  ssl: false,
  compression: 'gzip',
  logger,
})
startRelay({
  pool: openPool({ databaseUrl, role: 'carillon_worker', max: 3, applicationName: 'relay-process', onError: () => {} }),
  publisher: dieAt ? mortal(publisher) : publisher,
  leaderLock: options.withoutLock ? noLock : lock,
  clock: systemClock,
  metrics: {
    published: (events) => say(`published ${events}`),
    failed: (reason) => say(`failed ${reason}`),
  },
  logger: { info() {}, warn: complain, error: complain },
  encoder: createFeedEncoder({ topicPrefix }),
  topicPrefix,
  partitions: 3,
  replication: 1,
  batchEvents: 50,
  idlePollMs: 20,
  onState: (state) => say(`state ${state}`),
})
