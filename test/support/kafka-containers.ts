/** A real single-node Apache Kafka in KRaft mode, in a container, where Docker runs. */
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import type { BrokerProcess } from './kafka-broker.ts'
import { listenerNames, makeSecurity, type SecureKafka } from './kafka-security.ts'

/** Why containers will not do on this machine; undefined when they will. */
export async function missingForContainers(): Promise<string | undefined> {
  const client = await getContainerRuntimeClient().catch(() => undefined)
  return client ? undefined : 'no Docker engine answers'
}

const secrets = '/etc/carillon-secrets'
const containerPorts = { saslTls: 9094, mutualTls: 9095, saslPlain: 9096 } as const

/** On fixed host ports, because Docker would choose others when the broker is started again. */
export async function startInContainer({ secured }: { secured: boolean }): Promise<BrokerProcess> {
  const host = (await getContainerRuntimeClient()).info.containerRuntime.host
  const port = await freePort()
  const folder = secured ? await mkdtemp(join(tmpdir(), 'carillon-kafka-')) : undefined
  const security = folder ? await makeSecurity(folder, secrets) : undefined
  const secure: SecureKafka | undefined = security && {
    ...security.clients,
    listeners: {
      saslTls: `localhost:${await freePort()}`,
      mutualTls: `localhost:${await freePort()}`,
      saslPlain: `${host}:${await freePort()}`,
    },
  }
  const keys = secure ? (Object.keys(containerPorts) as (keyof typeof containerPorts)[]) : []
  const inside = keys.map((key) => `,${listenerNames[key]}://:${containerPorts[key]}`).join('')
  const outside = keys.map((key) => `,${listenerNames[key]}://${secure!.listeners[key]}`).join('')
  const files = folder ? (await readdir(folder)).map((name) => join(folder, name)) : []
  const container = await new GenericContainer('apache/kafka:4.3.1')
    .withExposedPorts(
      { container: 9092, host: port },
      ...keys.map((key) => ({ container: containerPorts[key], host: Number(secure!.listeners[key].split(':')[1]) })),
    )
    .withCopyFilesToContainer(
      files.map((source) => ({ source, target: source.replace(folder!, secrets), mode: 0o644 })),
    )
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENERS: `PLAINTEXT://:9092,CONTROLLER://:9093${inside}`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port}${outside}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP:
        'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASLTLS:SASL_SSL,MUTUALTLS:SSL,SASLPLAIN:SASL_PLAINTEXT',
      KAFKA_NUM_PARTITIONS: '4',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_HEAP_OPTS: '-Xmx512m',
      ...(security ? { KAFKA_OPTS: security.javaOptions.join(' '), ...environmentOf(security.properties) } : {}),
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start()
  if (secure) {
    const { username, password } = secure.scram
    const credentials = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) => `${name}=[password=${password}]`).join(',')
    const user = ['--entity-type', 'users', '--entity-name', username]
    const alter = ['--bootstrap-server', 'localhost:9092', '--alter', '--add-config', credentials, ...user]
    const { exitCode, output } = await container.exec(['/opt/kafka/bin/kafka-configs.sh', ...alter])
    if (exitCode !== 0) throw new Error(`no SCRAM user could be made: ${output}`)
  }
  return {
    brokers: [`${host}:${port}`],
    secure,
    halt: async () => void (await container.stop({ remove: false, timeout: 30_000 })),
    kill: async () => void (await container.stop({ remove: false, timeout: 0 })),
    resume: () => container.restart(),
    dispose: async () => {
      await container.stop({ timeout: 0 })
      if (folder) await rm(folder, { recursive: true, force: true })
    },
    lastWords: async () => 'see the log of the container',
  }
}

/** As the image wants a property named: `_` for a dot, `___` for a dash. */
const environmentOf = (properties: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      `KAFKA_${name.replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`,
      value,
    ]),
  )

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
