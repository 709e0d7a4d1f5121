/** A relay in a process of its own, to be killed: says its state on standard output whenever it changes. */
import { pino } from 'pino'
import { systemClock } from '../../../src/platform/clock.ts'
import { openPool } from '../../../src/platform/db.ts'
import { createKafkaPublisher } from '../../../src/platform/kafka.ts'
import { createLeaderLock } from '../../../src/platform/leader-lock.ts'
import { startRelay } from '../../../src/workers/relay.ts'

const [databaseUrl = '', brokers = '', topicPrefix = ''] = process.argv.slice(2)
const logger = pino({ level: 'silent' })
startRelay({
  pool: openPool({ databaseUrl, role: 'carillon_worker', max: 3, applicationName: 'relay-process', onError: () => {} }),
  publisher: createKafkaPublisher({
    brokers: brokers.split(','),
    clientId: 'relay-process',
    ssl: false,
    compression: 'gzip',
    logger,
  }),
  leaderLock: createLeaderLock({ databaseUrl, logger }),
  clock: systemClock,
  metrics: {
    published: (events) => process.stdout.write(`published ${events}\n`),
    failed: (reason) => process.stdout.write(`failed ${reason}\n`),
  },
  logger,
  topicPrefix,
  partitions: 3,
  replication: 1,
  batchEvents: 50,
  idlePollMs: 20,
})
