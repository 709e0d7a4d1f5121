import { type App, type AppRole, startApp } from '../../../src/app.ts'
import type { Provider } from '../../../src/channels/port.ts'
import { createSinkProvider } from '../../../src/channels/sink/sink-provider.ts'
import { describeConfig, readConfig } from '../../../src/config/config.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { createHttpMailProvider } from './http-mail-provider.ts'
import { createObserver, type Observer } from './observer.ts'

export type MailProvider = 'sink' | 'http'

export interface ServiceOptions {
  databaseUrl: string
  /** `all`: api, worker and relay in one process. */
  role: AppRole
  /** Absent: no relay. */
  kafka?: { brokers: string[]; topicPrefix: string }
  /** Where the provider `http` sends to; absent: there is none. */
  sinkUrl?: string
  /** How long the SMS provider takes for a call. Default 0. */
  smsLatencyMs?: number
}

/** Carillon as src/app.ts puts it together, with a sink where the providers would be. */
export interface Service {
  app: App
  observer: Observer
  /** From the next message on; the sink to begin with. */
  useMailProvider(name: MailProvider): void
  published(): Promise<number>
  /** By reason. */
  relayFailures(): Promise<Record<string, number>>
  /** The settings that the environment changed from their defaults; the bench's own are left out. */
  changedSettings: Record<string, string>
}

/** Starts the service with the settings of the environment and its own database, port and broker. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { databaseUrl, role, kafka } = options
  const own = {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'error',
    KAFKA_BROKERS: kafka?.brokers.join(','),
    KAFKA_TOPIC_PREFIX: kafka?.topicPrefix,
    // Sends that take half a minute are cut off when we are done, and not waited for.
    ...(options.smsLatencyMs && { SHUTDOWN_TIMEOUT: '1s' }),
  }
  const config = readConfig({ ...process.env, ...own })
  const observer = createObserver()
  observer.watchDatabase()
  const { mail, useMailProvider } = createMail(options.sinkUrl)
  const sms = createSinkProvider({ channel: 'sms', latencyMs: options.smsLatencyMs })
  const providers = new Map([mail, sms].map((provider) => [provider.channel, observer.watchProvider(provider)]))
  const logger = createLogger(config.LOG_LEVEL)
  const app = await startApp({ config, databaseUrl, role, logger, providers })
  return {
    app,
    observer,
    useMailProvider,
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

/** Both are there from the start, so that one service can be measured with each. */
function createMail(sinkUrl: string | undefined): Pick<Service, 'useMailProvider'> & { mail: Provider } {
  const sink = createSinkProvider({ channel: 'email' })
  const http = sinkUrl === undefined ? undefined : createHttpMailProvider(sinkUrl)
  let current = sink
  return {
    mail: {
      channel: 'email',
      get name() {
        return current.name
      },
      send: (message, signal) => current.send(message, signal),
      async close() {
        await sink.close()
        await http?.close()
      },
    },
    useMailProvider(name) {
      if (name === 'http' && !http) throw new Error('there is no HTTP sink to send to')
      current = name === 'http' && http ? http : sink
    },
  }
}
