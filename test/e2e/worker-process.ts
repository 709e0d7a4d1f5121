/** A worker process of its own, to be killed: it writes every send it acknowledges to a file, and says when it is up. */
import { appendFileSync } from 'node:fs'
import { setTimeout as latency } from 'node:timers/promises'
import { startApp } from '../../src/app.ts'
import type { Provider } from '../../src/channels/port.ts'
import { readConfig } from '../../src/config/config.ts'
import { createLogger } from '../../src/platform/logger.ts'

const [databaseUrl, sentFile, latencyMs] = process.argv.slice(2) as [string, string, string]
const provider = (channel: 'email' | 'webhook'): Provider => ({
  channel,
  name: 'recorder',
  async send(message) {
    await latency(Number(latencyMs))
    appendFileSync(sentFile, `${message.deliveryId} ${message.attempt}\n`)
    return { kind: 'accepted', providerMessageId: `${message.deliveryId}-${message.attempt}` }
  },
  close: async () => {},
})
const app = await startApp({
  config: readConfig({
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    SHUTDOWN_TIMEOUT: '5s',
    SEND_CONCURRENCY: '20',
  }),
  databaseUrl,
  role: 'worker',
  logger: createLogger('error'),
  providers: new Map([
    ['email', provider('email')],
    ['webhook', provider('webhook')],
  ]),
})
process.on('SIGTERM', () => void app.stop().then(() => process.exit(0)))
process.stdout.write('up\n')
