/** How topics that we create are made, and what those that are there are measured by. */
export interface TopicWishes {
  partitions: number
  /** -1: the broker's own. */
  replication: number
  /** -1: for ever; undefined: the broker's own. */
  retentionMs?: number
}

/** What a topic is, as far as we may see it. */
export interface TopicFacts {
  topic: string
  partitions: number
  replicas: number
  /** Undefined where we may not read them. */
  settings?: ReadonlyMap<string, string>
}

/** Something about a topic that a person should know. It is used all the same. */
export interface TopicFinding {
  topic: string
  /** As Kafka calls it; `DescribeConfigs` is the right that we lack. */
  setting:
    | 'partitions'
    | 'replication.factor'
    | 'retention.ms'
    | 'retention.bytes'
    | 'cleanup.policy'
    | 'max.message.bytes'
    | 'min.insync.replicas'
    | 'DescribeConfigs'
  found: string
  meaning: string
}

export const settingsThatMatter = [
  'retention.ms',
  'retention.bytes',
  'cleanup.policy',
  'max.message.bytes',
  'min.insync.replicas',
]

/** The most that one request holds; brokers take a mebibyte as one record batch unless told otherwise. */
export const mostRequestBytes = 900_000

export function findingsOf({ topic, partitions, replicas, settings }: TopicFacts, wishes: TopicWishes): TopicFinding[] {
  const findings: TopicFinding[] = []
  const find = (setting: TopicFinding['setting'], found: string | number, meaning: string) =>
    void findings.push({ topic, setting, found: `${found}`, meaning })
  if (partitions < wishes.partitions) find('partitions', partitions, `fewer than the ${wishes.partitions} configured`)
  if (replicas < wishes.replication)
    find('replication.factor', replicas, `fewer copies than the ${wishes.replication} configured`)
  if (!settings) {
    find('DescribeConfigs', 'denied', 'we may not read its settings, so they were not checked')
    return findings
  }
  const number = (name: string) => Number(settings.get(name) ?? Number.NaN)
  const policy = settings.get('cleanup.policy') ?? ''
  if (policy.includes('compact')) find('cleanup.policy', policy, 'of the events of one key only the last is kept')
  const { retentionMs } = wishes
  if (retentionMs !== undefined && policy.includes('delete')) {
    const kept = number('retention.ms')
    if (kept >= 0 && (retentionMs === -1 || kept < retentionMs))
      find('retention.ms', kept, `events go earlier than the ${retentionMs === -1 ? 'never' : retentionMs} configured`)
    if (number('retention.bytes') >= 0)
      find('retention.bytes', number('retention.bytes'), 'events go earlier than configured when there are many')
  }
  if (number('max.message.bytes') < mostRequestBytes)
    find('max.message.bytes', number('max.message.bytes'), `batches of up to ${mostRequestBytes} bytes may be refused`)
  const needed = number('min.insync.replicas')
  if (needed > replicas)
    find('min.insync.replicas', needed, `more than its ${replicas} copies: no event can be acknowledged`)
  else if (replicas > 1 && needed === replicas)
    find('min.insync.replicas', needed, 'as many as copies: the feed stands still while one broker is away')
  else if (replicas > 1 && needed === 1)
    find('min.insync.replicas', needed, 'an acknowledged event may be on one broker alone, and be lost with it')
  return findings
}
