import { Command } from 'commander'
import { type Config, readConfig } from '../../config/config.ts'
import { lastIdOf } from '../../domain/ids.ts'
import { type FeedMessage, readFeedMessage } from '../../pipeline/stream/feed-message.ts'
import { createOpener, type OpenPersonalData } from '../../pipeline/stream/open-personal-data.ts'
import { systemClock } from '../../platform/clock.ts'
import type { EncodedValue, ValueDecoder } from '../../platform/decode-value.ts'
import { parseWrappingKey } from '../../platform/envelope.ts'
import type { ReadRecord } from '../../platform/kafka/read-committed.ts'
import { createClosing } from '../closing.ts'
import { type CommandContext, speaking } from '../command-context.ts'
import { withWorkerPool } from '../database.ts'
import { duration, names, uuid } from '../option-values.ts'
import { shade, type Terminal } from '../terminal.ts'
import { chooseTopics, typeMatcher, withFeed } from './open-feed.ts'

interface TailOptions {
  topic?: string[]
  tenant?: string
  type?: string
  subject?: string
  since?: number
  open?: boolean
}

export function tailCommand(context: CommandContext): Command {
  const command = new Command('tail')
    .description('Show the feed as it comes, from Kafka, a line an event.')
    .option('--topic <name>', 'only this topic; may be said several times', names)
    .option('--tenant <uuid>', 'only of this tenant', uuid)
    .option('--type <pattern>', 'only these types, as notification.email.*')
    .option('--subject <id>', 'only of this intent, notification or delivery, and what belongs to it', uuid)
    .option('--since <duration>', 'begin so long ago, as 10m; by default now', duration)
    .option('--open', 'decrypt addresses and content (FEED_PII=encrypted): needs FEED_PII_KEYS and the database')
    .addHelpText(
      'after',
      `
A line is: time, type, subject, recipient, and what else the event says: provider, attempt, reason.
With --json a line is a document of the message's place, headers and value. Ctrl-C ends it.`,
    )
  return speaking<TailOptions, []>(command, context, async (terminal, options) => {
    const config = readConfig()
    if (options.open)
      await withWorkerPool((pool) =>
        follow(terminal, options, config, createOpener(pool, config.FEED_PII_KEYS.map(parseWrappingKey))),
      )
    else await follow(terminal, options, config)
  })
}

async function follow(
  terminal: Terminal,
  options: TailOptions,
  config: Config,
  open?: OpenPersonalData,
): Promise<void> {
  const closing = createClosing({ patienceMs: 5_000, withParent: false, onSignal: () => {} })
  try {
    await withFeed(config, async ({ encoder, reader, decoder }) => {
      const topics = chooseTopics(encoder, config.KAFKA_TOPIC_PREFIX, options.topic)
      const since = options.since === undefined ? 'end' : { timeMs: systemClock.now().getTime() - options.since }
      const ranges = await reader.ranges(topics, since)
      const waiting = topics.length - new Set(ranges.map(({ topic }) => topic)).size
      if (waiting > 0) terminal.remark(`${waiting} of ${topics.length} topics are not there yet`)
      const isWanted = wanted(options)
      let away = false
      const onTrouble = () => {
        away = true
        terminal.remark('the brokers are away; trying again')
      }
      for await (const records of reader.read(ranges, { follow: topics, signal: closing.signal, onTrouble })) {
        if (away) terminal.remark('the brokers are back')
        away = false
        const found = records.flatMap((record) => {
          const message = readFeedMessage(record)
          return message && isWanted(message) ? [{ record, message }] : []
        })
        // Partitions come one after another, and a reader wants what happened first first.
        found.sort((a, b) => (a.message.sequence < b.message.sequence ? -1 : 1))
        await decoder.prepare(found.flatMap(({ record }) => encodedValueOf(record) ?? []))
        for (const { record, message } of found) {
          const value = readValue(record, decoder)
          const personal = await open?.(value)
          say(terminal, record, message, personal ? { ...value, personal_data: personal } : value)
        }
      }
    })
  } finally {
    closing.release()
  }
}

function wanted({ tenant, type, subject }: TailOptions): (message: FeedMessage) => boolean {
  const acceptsType = typeMatcher(type)
  // Of a delivery there is nothing that belongs to it; beside it in the order are its siblings.
  const last = subject?.endsWith('00') ? lastIdOf(subject) : subject
  return (message) =>
    (tenant === undefined || message.tenantId === tenant) &&
    (acceptsType?.(message.type) ?? true) &&
    (subject === undefined || (message.subjectId >= subject && message.subjectId <= last!))
}

function say(terminal: Terminal, record: ReadRecord, message: FeedMessage, value: Record<string, unknown>): void {
  const { topic, partition, offset, key, headers } = record
  if (terminal.json) {
    terminal.document({ topic, partition, offset, key: key?.toString(), headers, value })
    return
  }
  const time = (headers.ce_time ?? '').slice(11, 23)
  const { address } = (typeof value.personal_data === 'object' ? (value.personal_data ?? {}) : {}) as {
    address?: string
  }
  const details = [value.recipient_id, address, value.provider, attemptOf(value), value.reason, value.unreadable]
  if (message.replayId) details.push('(replayed)')
  const told = details.filter((detail) => typeof detail === 'string' && detail !== '').join(' ')
  terminal.line(`${shade('dim', time)}  ${colour(message.type)}  ${message.subjectId}  ${printable(told)}`.trimEnd())
}

function encodedValueOf({ value, headers }: ReadRecord): EncodedValue | undefined {
  return value === null
    ? undefined
    : { bytes: value, contentType: headers['content-type'], dataschema: headers.ce_dataschema }
}

function readValue(record: ReadRecord, decoder: ValueDecoder): Record<string, unknown> {
  const encoded = encodedValueOf(record)
  if (!encoded) return { unreadable: 'the message has no value' }
  const decoded = decoder.decode(encoded)
  if (!decoded.ok) return { unreadable: decoded.detail }
  return isRecord(decoded.value) ? decoded.value : { unreadable: 'the value is no object' }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const attemptOf = ({ attempt }: Record<string, unknown>) =>
  typeof attempt === 'number' && attempt > 1 ? `attempt ${attempt}` : undefined

/** What others have put into a message does not steer our terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const printable = (text: string) => text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')

const width = 34
function colour(type: string): string {
  const verb = type.slice(type.lastIndexOf('.') + 1)
  const text = printable(type).padEnd(width)
  if (['sent', 'delivered', 'read', 'seen', 'opened', 'clicked'].includes(verb)) return shade('green', text)
  if (['failed', 'bounced', 'expired', 'dead_lettered'].includes(verb)) return shade('red', text)
  return ['retrying', 'suppressed', 'snoozed', 'cancelled'].includes(verb) ? shade('yellow', text) : text
}
