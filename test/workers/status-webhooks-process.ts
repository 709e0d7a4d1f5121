/** A lane of status webhooks in a process of its own, to be killed: says on standard output what it does. */
import { pino } from 'pino'
import { systemClock } from '../../src/platform/clock.ts'
import { openPool } from '../../src/platform/db.ts'
import { createIdSource } from '../../src/platform/id-source.ts'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import { startStatusWebhooks } from '../../src/workers/status-webhooks.ts'

const [databaseUrl = ''] = process.argv.slice(2)
const logger = pino({ level: 'silent' })
startStatusWebhooks({
  pool: openPool({ databaseUrl, role: 'carillon_worker', max: 3, applicationName: 'lane', onError: () => {} }),
  leaderLock: createLeaderLock({ databaseUrl, retryMs: 100, logger }),
  clock: systemClock,
  ids: createIdSource(systemClock),
  wake: { on: () => () => {}, ring: () => {} },
  backlog: { ageMs: () => 0 },
  keyTtlMs: 86_400_000,
  chunkSize: 500,
  idlePollMs: 20,
  lookMs: 50,
  pageEvents: 7,
  metrics: {
    accepted: (webhooks) => process.stdout.write(`accepted ${webhooks}\n`),
    failed: (reason) => process.stdout.write(`failed ${reason}\n`),
  },
  logger,
})
