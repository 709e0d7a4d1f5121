/** A real single-node Apache Kafka in KRaft mode, in a container, where Docker runs. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import type { BrokerProcess } from './kafka-broker.ts'

/** Why containers will not do on this machine; undefined when they will. */
export async function missingForContainers(): Promise<string | undefined> {
  const client = await getContainerRuntimeClient().catch(() => undefined)
  return client ? undefined : 'no Docker engine answers'
}

/** On a fixed host port, because Docker would choose another one when the broker is started again. */
export async function startInContainer(): Promise<BrokerProcess> {
  const host = (await getContainerRuntimeClient()).info.containerRuntime.host
  const port = await freePort()
  const container = await new GenericContainer('apache/kafka:4.3.1')
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_NUM_PARTITIONS: '4',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_HEAP_OPTS: '-Xmx512m',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start()
  return {
    brokers: [`${host}:${port}`],
    halt: async () => void (await container.stop({ remove: false, timeout: 30_000 })),
    kill: async () => void (await container.stop({ remove: false, timeout: 0 })),
    resume: () => container.restart(),
    dispose: async () => void (await container.stop({ timeout: 0 })),
    lastWords: async () => 'see the log of the container',
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
