import { pino } from 'pino'
import type { Config } from '../../config/config.ts'
import { configuredFeedEncoder } from '../../pipeline/stream/feed-encoder.ts'
import { type BrokerFacts, probeBroker } from '../../platform/kafka/broker-probe.ts'
import { createKafka, kafkaOptions, logIn, readableOnTheWay } from '../../platform/kafka/connection.ts'
import { inspectTopics } from '../../platform/kafka/topics.ts'
import { codeOf } from '../exit-codes.ts'
import type { Check } from './check.ts'

/** From the door inwards: each broker that is named, then the login, then the topics. Nothing is made, and no relay is disturbed. */
export async function* checkKafka(config: Config, now: Date): AsyncIterable<Check> {
  if (config.KAFKA_BROKERS.length === 0) {
    yield { name: 'kafka', verdict: 'off', detail: 'no KAFKA_BROKERS: the relay is off, and events wait' }
    return
  }
  const options = kafkaOptions(config)
  const doors = await Promise.all(config.KAFKA_BROKERS.map((address) => checkDoor(address, options, now)))
  const open = doors.some(({ verdict }) => verdict !== 'fail')
  // One of many that is away is no failure: another tells where everything is.
  for (const check of doors) yield check.verdict === 'fail' && open ? { ...check, verdict: 'warn' } : check
  if (!open) return

  const kafka = createKafka({ ...options, logger: pino({ level: 'silent' }) })
  const readable = readableOnTheWay(config)
  const login = options.sasl ? `SASL ${options.sasl.mechanism}` : 'without SASL'
  try {
    await logIn(kafka)
    yield readable
      ? {
          name: 'kafka login',
          verdict: 'warn',
          detail: `${login} lets us in. ${readable}`,
          remedy: 'set KAFKA_SSL=true',
        }
      : { name: 'kafka login', verdict: 'ok', detail: `${login} lets us in` }
    yield* await checkTopics(config, kafka)
  } catch (error) {
    yield failure('kafka login', login, error)
  }
}

async function checkDoor(address: string, options: ReturnType<typeof kafkaOptions>, now: Date): Promise<Check> {
  try {
    const facts = await probeBroker(address, options)
    const soon = facts.tls && facts.tls.validTo.getTime() - now.getTime() < 14 * 86_400_000
    return {
      name: 'kafka',
      verdict: soon ? 'warn' : 'ok',
      detail: `${address} answers: ${described(facts)}`,
      ...(soon ? { remedy: 'renew the certificate of the broker' } : {}),
    }
  } catch (error) {
    return failure('kafka', address, error)
  }
}

function described({ tls, release }: BrokerFacts): string {
  const way = tls ? `${tls.version}, its certificate ends on ${tls.validTo.toISOString().slice(0, 10)}` : 'without TLS'
  return `${release ? `Kafka ${release}` : 'of a release that it does not tell'}, ${way}`
}

async function checkTopics(config: Config, kafka: ReturnType<typeof createKafka>): Promise<Check[]> {
  const name = 'kafka topics'
  const { topics } = configuredFeedEncoder(config)
  const wishes = {
    partitions: config.KAFKA_PARTITIONS,
    replication: config.KAFKA_REPLICATION,
    retentionMs: config.KAFKA_RETENTION,
  }
  try {
    const { missing, findings } = await inspectTopics(kafka, topics, wishes)
    const told = findings.filter(({ setting }) => setting !== 'DescribeConfigs')
    const unread = findings.length - told.length
    const rest = [
      `${topics.length - missing.length} of ${topics.length} are there`,
      missing.length > 0 ? 'the relay makes the others when it leads, where it may' : [],
      unread > 0 ? `the settings of ${unread} are not for us to read` : [],
    ].flat()
    return [
      { name, verdict: 'ok', detail: rest.join('; ') },
      ...told.map(
        ({ topic, setting, found, meaning }): Check => ({
          name,
          verdict: 'warn',
          detail: `${topic}: ${setting} is ${found}, ${meaning}`,
          remedy: 'it is used as it is; alter the topic, or the KAFKA_ setting',
        }),
      ),
    ]
  } catch (error) {
    return [failure(name, 'they cannot be looked at', error)]
  }
}

function failure(name: string, what: string, error: unknown): Check {
  const refused = codeOf(error) === 'KAFKA_REFUSED'
  const { message } = error as Error
  return {
    name,
    verdict: 'fail',
    detail: `${what} ${refused ? 'refuses us' : 'does not answer'} (${message})`,
    remedy: refused
      ? 'check KAFKA_SSL* and KAFKA_SASL_*, and our rights (docs/kafka.md, connecting)'
      : 'check KAFKA_BROKERS and KAFKA_SSL; nothing is lost meanwhile, events wait',
  }
}
