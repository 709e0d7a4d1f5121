import { type App, type AppRole, startApp } from '../../../src/app.ts'
import type { Provider } from '../../../src/channels/port.ts'
import { createSinkProvider } from '../../../src/channels/sink/sink-provider.ts'
import { describeConfig, readConfig } from '../../../src/config/config.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { createObserver, type Observer } from './observer.ts'

export interface ServiceOptions {
  databaseUrl: string
  /** `all`: api, worker and relay in one process. */
  role: AppRole
  /** Absent: no relay. */
  kafka?: { brokers: string[]; topicPrefix: string }
}

/** Carillon as src/app.ts puts it together, with a sink where the providers would be. */
export interface Service {
  app: App
  observer: Observer
  published(): Promise<number>
  /** By reason. */
  relayFailures(): Promise<Record<string, number>>
  /** The settings that the environment changed from their defaults; the bench's own are left out. */
  changedSettings: Record<string, string>
}

/** Starts the service with the settings of the environment and its own database, port and broker. */
export async function startService({ databaseUrl, role, kafka }: ServiceOptions): Promise<Service> {
  const own = {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'error',
    KAFKA_BROKERS: kafka?.brokers.join(','),
    KAFKA_TOPIC_PREFIX: kafka?.topicPrefix,
  }
  const config = readConfig({ ...process.env, ...own })
  const observer = createObserver()
  observer.watchDatabase()
  const email: Provider = observer.watchProvider(createSinkProvider({ channel: 'email' }))
  const logger = createLogger(config.LOG_LEVEL)
  const app = await startApp({ config, databaseUrl, role, logger, providers: new Map([['email', email]]) })
  return {
    app,
    observer,
    async published() {
      const { values } = await app.metrics.relayedEvents.get()
      return values.reduce((sum, { value }) => sum + value, 0)
    },
    async relayFailures() {
      const { values } = await app.metrics.relayFailures.get()
      return Object.fromEntries(values.map(({ labels, value }) => [labels.reason, value]))
    },
    changedSettings: Object.fromEntries(
      describeConfig(config)
        .filter(({ name, isDefault }) => !isDefault && !(name in own))
        .map(({ name, value }) => [name, value]),
    ),
  }
}
