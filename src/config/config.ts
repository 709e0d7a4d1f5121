import { createFeedLayout, parseFeedTopics } from '../domain/feed-layout.ts'
import { kafkaFaults } from './kafka-faults.ts'
import { type ConfigValues, type FieldName, fields } from './schema.ts'

/** The validated settings, frozen: the only form in which the environment reaches the rest of the program. */
export type Config = Readonly<ConfigValues>

/** Raised with every fault at once. Exit code 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly faults: { name: string; message: string }[]
  constructor(faults: { name: string; message: string }[]) {
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault.name}: ${fault.message}`).join('\n')}`,
    )
    this.faults = faults
  }
}

/** Reads and validates the environment. An empty variable counts as not set. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: { name: string; message: string }[] = []
  const values: Partial<Record<FieldName, unknown>> = {}
  for (const name of Object.keys(fields) as FieldName[]) {
    const spec = fields[name]
    const raw = env[name]
    if (raw === undefined || raw === '') {
      values[name] = 'default' in spec ? spec.default : undefined
      continue
    }
    const parsed = spec.parse.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else faults.push({ name, message: parsed.error.issues.map((issue) => issue.message).join('; ') })
  }
  if (
    values.NODE_ENV === 'production' &&
    values.DATABASE_URL === undefined &&
    !faults.some((fault) => fault.name === 'DATABASE_URL')
  ) {
    faults.push({ name: 'DATABASE_URL', message: 'is required when NODE_ENV=production' })
  }
  faults.push(...kafkaFaults(values as Partial<ConfigValues>))
  if (values.FEED_PII === 'encrypted' && (values.FEED_PII_KEYS as string[] | undefined)?.length === 0) {
    faults.push({ name: 'FEED_PII_KEYS', message: 'is required where FEED_PII is `encrypted`' })
  }
  if (faults.length === 0) faults.push(...topicFaults(values as Config), ...layoutFaults(values as Config))
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(values) as Config
}

const mostTopicName = 249

/** What a broker would not make. */
function topicFaults(config: Config): { name: string; message: string }[] {
  const { topics } = createFeedLayout(parseFeedTopics(config.FEED_TOPICS))
  const long = [...topics.keys()].find((topic) => (config.KAFKA_TOPIC_PREFIX + topic).length > mostTopicName)
  if (!long) return []
  return [
    { name: 'KAFKA_TOPIC_PREFIX', message: `with it the topic ${long} has more than ${mostTopicName} characters` },
  ]
}

/** A subject of TopicNameStrategy holds one record, so no two families may meet in a topic. */
function layoutFaults(config: Config): { name: string; message: string }[] {
  if (config.FEED_FORMAT !== 'avro' || !config.SCHEMA_REGISTRY_URL || config.SCHEMA_REGISTRY_SUBJECTS !== 'topic')
    return []
  const { topics } = createFeedLayout(parseFeedTopics(config.FEED_TOPICS))
  const [meeting] = [...topics].filter(([, families]) => families.size > 1)
  if (!meeting) return []
  const [topic, families] = meeting
  const message = `${[...families].join(' and ')} meet in the topic ${topic}: with \`topic\` a topic has one schema; use \`record\` or \`topic-record\`, or another FEED_TOPICS`
  return [{ name: 'SCHEMA_REGISTRY_SUBJECTS', message }]
}

/** One line a setting, secrets masked: what `carillon config` prints. */
export function describeConfig(config: Config): { name: string; value: string; isDefault: boolean; help: string }[] {
  return (Object.keys(fields) as FieldName[]).map((name) => {
    const spec = fields[name]
    const value = config[name]
    const standard = 'default' in spec ? spec.default : undefined
    const shown = value === undefined ? '' : Array.isArray(value) ? value.join(',') : String(value)
    return {
      name,
      value: 'secret' in spec && spec.secret && shown !== '' ? '********' : shown,
      isDefault: JSON.stringify(value) === JSON.stringify(standard),
      help: spec.help,
    }
  })
}
