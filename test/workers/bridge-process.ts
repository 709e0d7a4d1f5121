/** A bridge in a process of its own, to be killed: says on standard output what it has landed. */
import { pino } from 'pino'
import { parseBridgeTopic } from '../../src/domain/bridge-topics.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { openPool } from '../../src/platform/db.ts'
import { createIdSource } from '../../src/platform/id-source.ts'
import { startBridge } from '../../src/workers/bridge.ts'
import { keyless } from './bridge-rig.ts'

const [databaseUrl = '', brokers = '', groupId = '', rules = '', pageMessages = '200'] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)
startBridge({
  pool: openPool({
    databaseUrl,
    role: 'carillon_worker',
    max: 4,
    idleInTransactionMs: 6_000,
    applicationName: 'bridge-process',
    onError: () => {},
  }),
  ids: createIdSource(systemClock),
  clock: systemClock,
  keyTtlMs: 86_400_000,
  chunkSize: 500,
  kafka: {
    brokers: brokers.split(','),
    clientId: 'bridge-process',
    ssl: false,
    compression: 'none',
    logger: pino({ level: 'silent' }),
  },
  groupId,
  rules: rules.split(',').map((text) => parseBridgeTopic(text)!),
  judge: { decoder: keyless(), maxBytes: 1e6, maxHeaders: 500 },
  startAt: 'earliest',
  backlog: { ageMs: () => 0, mostMs: 1_000 },
  concurrency: 3,
  pageMessages: Number(pageMessages),
  lookEveryMs: 2_000,
  sessionTimeoutMs: 6_000,
  ring: () => {},
  metrics: {
    messages: (_, outcome, count) => say(`${outcome} ${count}`),
    lag: () => {},
    failed: (reason) => say(`failed ${reason}`),
  },
  logger: pino({ level: 'silent' }),
  onState: (state) => say(`state ${state}`),
})
