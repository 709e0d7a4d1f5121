/** A real single-node Apache Kafka in KRaft mode, from its jars, on this machine's Java. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BrokerProcess } from './kafka-broker.ts'
import { listenerNames, makeSecurity, type SecureKafka, type Security } from './kafka-security.ts'

const run = promisify(execFile)
const pom = fileURLToPath(new URL('kafka/pom.xml', import.meta.url))
const cache = fileURLToPath(new URL('../../.cache/kafka/', import.meta.url))

/** Why jars will not do on this machine; undefined when they will. */
export async function missingForJars(): Promise<string | undefined> {
  const java = await run('java', ['-version']).catch(() => undefined)
  if (!java) return 'java is not installed'
  const major = Number(/version "(\d+)/.exec(java.stderr)?.[1])
  if (!(major >= 17)) return `java is ${major}, and Kafka needs 17`
  const jars = await cachedJars()
  const maven = jars.present || (await run('mvn', ['-v']).catch(() => undefined))
  return maven ? undefined : 'mvn is not installed'
}

async function cachedJars() {
  const version = /<kafka.version>(.+)</.exec(await readFile(pom, 'utf8'))?.[1] ?? ''
  const folder = join(cache, version)
  const marker = await readFile(join(folder, 'complete'), 'utf8').catch(() => '')
  return { folder, present: marker !== '' }
}

/** Copied aside and renamed when whole, so that two test runs at once do not see half a Kafka. */
async function fetchJars(onNotice: (notice: string) => void): Promise<string> {
  const { folder, present } = await cachedJars()
  if (present) return folder
  onNotice('fetching Apache Kafka with Maven')
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(`${folder}.draft-`)
  try {
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${draft}`, '-DincludeScope=runtime']
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { timeout: 600_000 }).catch((error) => {
      throw new Error(`Maven could not fetch Kafka: ${error.stdout}${error.stderr}`)
    })
    await writeFile(join(draft, 'complete'), 'yes')
    await rename(draft, folder).catch((error) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
    return folder
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

export async function startFromJars(on: {
  secured: boolean
  onNotice: (notice: string) => void
}): Promise<BrokerProcess> {
  const jars = await fetchJars(on.onNotice)
  const home = await mkdtemp(join(tmpdir(), 'carillon-kafka-'))
  const properties = join(home, 'server.properties')
  const logFile = join(home, 'broker.log')
  const port = await freePort()
  const security = on.secured ? await makeSecurity(home) : undefined
  const secure = security && (await listenersOf(security))
  await writeFile(properties, serverProperties(home, port, await freePort(), security, secure))
  const options = ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', ...(security?.javaOptions ?? [])]
  const java = [...options, '-cp', join(jars, '*')]
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'carillon-test-broker00', '-c', properties]
  await run('java', [...java, ...format, ...(secure ? scramUsers(secure) : [])])

  let broker = await launch()
  async function launch() {
    const log = await open(logFile, 'a')
    // The shell stands between us and the broker so that the broker cannot outlive us: when our end of its standard
    // input closes, however we died, it kills the broker.
    const guard = 'exec 3<&0; "$@" 3<&- >&2 & pid=$!; echo $pid; (cat <&3; kill -9 $pid) >/dev/null 2>&1 & wait $pid'
    const command = ['java', ...java, 'kafka.Kafka', properties]
    const shell = spawn('sh', ['-c', guard, 'sh', ...command], { detached: true, stdio: ['pipe', 'pipe', log.fd] })
    const exited = once(shell, 'exit').then(() => shell.stdin?.destroy())
    const [pid] = await once(createInterface(shell.stdout!), 'line')
    await log.close()
    return { pid: Number(pid), exited }
  }

  async function end(signal: NodeJS.Signals) {
    try {
      process.kill(broker.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    await broker.exited
  }

  return {
    brokers: [`127.0.0.1:${port}`],
    secure,
    halt: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    resume: async () => {
      broker = await launch()
    },
    dispose: async () => {
      await end('SIGKILL') // the data is thrown away with it: nothing to flush
      await rm(home, { recursive: true, force: true })
    },
    lastWords: async () => (await readFile(logFile, 'utf8').catch(() => '')).split('\n').slice(-20).join('\n'),
  }
}

async function listenersOf({ clients }: Security): Promise<SecureKafka> {
  const [saslTls, mutualTls, saslPlain] = [await freePort(), await freePort(), await freePort()]
  const listeners = {
    saslTls: `localhost:${saslTls}`,
    mutualTls: `localhost:${mutualTls}`,
    saslPlain: `127.0.0.1:${saslPlain}`,
  }
  return { ...clients, listeners }
}

const scramUsers = ({ scram: { username, password } }: SecureKafka) =>
  ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ])

function serverProperties(
  home: string,
  port: number,
  controllerPort: number,
  security: Security | undefined,
  secure: SecureKafka | undefined,
): string {
  const names = Object.entries(listenerNames) as [keyof typeof listenerNames, string][]
  const more = secure ? names.map(([key, name]) => `,${name}://${secure.listeners[key]}`).join('') : ''
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${more.replaceAll('localhost', '127.0.0.1')}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}${more}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASLTLS:SASL_SSL,MUTUALTLS:SSL,SASLPLAIN:SASL_PLAINTEXT
log.dirs=${join(home, 'data')}
num.partitions=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
${Object.entries(security?.properties ?? {})
  .map(([name, value]) => `${name}=${value}\n`)
  .join('')}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
