/** A real Kafka for tests and the bench: the one that is given, or one of our own from jars or in a container. */
import { Kafka, logLevel } from 'kafkajs'
import { eventually } from './eventually.ts'
import type { SecureKafka } from './kafka-security.ts'

export interface TestKafka {
  brokers: string[]
  kind: 'given' | 'jars' | 'testcontainers'
  /** With `secured` alone. */
  secure?: SecureKafka
  /** Outages, on a broker of our own only. Same port and same data when it comes back. */
  stopBroker(): Promise<void>
  killBroker(): Promise<void>
  startBroker(): Promise<void>
  restart(): Promise<void>
  /** At the end. A given broker is left alone. */
  stop(): Promise<void>
}

/** What a way of running a broker gives; `startKafka` waits and checks around it. */
export interface BrokerProcess {
  brokers: string[]
  secure?: SecureKafka
  halt(): Promise<void>
  kill(): Promise<void>
  resume(): Promise<void>
  dispose(): Promise<void>
  lastWords(): Promise<string>
}

export interface StartKafkaOptions {
  /** For outage tests: a broker that this file alone uses, though KAFKA_BROKERS may name a shared one. */
  ownBroker?: boolean
  /** A broker of one's own with listeners for TLS and SASL beside the plain one. */
  secured?: boolean
  onNotice?: (notice: string) => void
}

export async function startKafka(on: StartKafkaOptions = {}): Promise<TestKafka> {
  const given = process.env.KAFKA_BROKERS
  if (given && !on.ownBroker && !on.secured) return useGiven(given.split(',').map((broker) => broker.trim()))

  const { kind, broker } = await startOurOwn({ secured: on.secured === true, onNotice: on.onNotice ?? (() => {}) })
  try {
    await untilItAnswers(broker)
  } catch (error) {
    await broker.dispose()
    throw error
  }
  const startBroker = async () => {
    await broker.resume()
    await untilItAnswers(broker)
  }
  return {
    brokers: broker.brokers,
    secure: broker.secure,
    kind,
    stopBroker: () => broker.halt(),
    killBroker: () => broker.kill(),
    startBroker,
    restart: async () => {
      await broker.halt()
      await startBroker()
    },
    stop: () => broker.dispose(),
  }
}

async function useGiven(brokers: string[]): Promise<TestKafka> {
  await untilItAnswers({ brokers, lastWords: async () => 'it was given by KAFKA_BROKERS' })
  const refuse = async () => {
    throw new Error('a given broker is not ours to stop: outage tests use startKafka({ ownBroker: true })')
  }
  const outages = { stopBroker: refuse, killBroker: refuse, startBroker: refuse, restart: refuse }
  return { brokers, kind: 'given', ...outages, stop: async () => {} }
}

async function startOurOwn(on: { secured: boolean; onNotice: (notice: string) => void }) {
  const jars = await import('./kafka-jars.ts')
  const noJars = await jars.missingForJars()
  if (!noJars) return { kind: 'jars' as const, broker: await jars.startFromJars(on) }
  const containers = await import('./kafka-containers.ts')
  const noContainers = await containers.missingForContainers()
  if (!noContainers) return { kind: 'testcontainers' as const, broker: await containers.startInContainer(on) }
  throw new Error(
    `the tests need a real Kafka, and there is none: ${noJars}, and ${noContainers}. Set KAFKA_BROKERS, or install Java 17 and Maven, or start Docker`,
  )
}

async function untilItAnswers(broker: Pick<BrokerProcess, 'brokers' | 'lastWords'>) {
  const kafka = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  try {
    await eventually(
      async () => {
        const admin = kafka.admin()
        try {
          await admin.connect()
          const { brokers } = await admin.describeCluster()
          if (brokers.length === 0) throw new Error('no broker is registered yet')
        } finally {
          await admin.disconnect()
        }
      },
      { timeoutMs: 90_000 },
    )
  } catch (error) {
    throw new Error(
      `Kafka at ${broker.brokers} does not answer (${(error as Error).message}): ${await broker.lastWords()}`,
    )
  }
}
