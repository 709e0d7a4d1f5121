import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { readConfig } from '../../config/config.ts'
import { isId } from '../../domain/ids.ts'
import { countForReplay, type ReplaySource, readReached, replayFeed } from '../../pipeline/stream/replay-feed.ts'
import { systemClock } from '../../platform/clock.ts'
import { createIdSource } from '../../platform/id-source.ts'
import { createClosing } from '../closing.ts'
import { type CommandContext, speaking } from '../command-context.ts'
import { withWorkerPool } from '../database.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { eventsPerSecond, momentOrAgo, names, uuid } from '../option-values.ts'
import type { Terminal } from '../terminal.ts'
import { chooseTopics, typeMatcher, withFeed } from './open-feed.ts'

interface ReplayOptions {
  from: Date
  to: Date
  topic?: string[]
  tenant?: string
  type?: string
  rate?: number
  replayId?: string
  yes?: boolean
  dryRun?: boolean
}

export function replayCommand(context: CommandContext): Command {
  const command = new Command('replay')
    .description('Publish events of the past to Kafka once more, in their order, each with the header ce_replayid.')
    .requiredOption('--from <time>', 'events made from then on: a time, or 90m, 36h, 7d ago', momentOrAgo)
    .requiredOption('--to <time>', 'events made before then', momentOrAgo)
    .option('--topic <name>', 'only what goes to this topic; may be said several times', names)
    .option('--tenant <uuid>', 'only of this tenant', uuid)
    .option('--type <pattern>', 'only these types, as notification.email.*')
    .option('--rate <events>', 'at most so many a second', eventsPerSecond)
    .option('--replay-id <uuid>', 'go on with a replay that was cut off; the other options as they were', uuid)
    .option('--dry-run', 'say how many there are, and publish nothing')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Consumers that dedupe by ce_id skip what they have; those that are to take it again look at ce_replayid.
The relay goes on meanwhile, and its place in the log stays where it is. What it has yet to publish is left to it.
Ctrl-C ends it after the batch under way, and says how to go on.`,
    )
  return speaking<ReplayOptions, []>(command, context, async (terminal, options) => {
    if (options.from >= options.to) throw new CommandError('BAD_OPTIONS', '--from must be before --to')
    const config = readConfig()
    if (options.replayId && !isId(options.replayId)) {
      throw new CommandError('BAD_OPTIONS', `no replay has the id ${options.replayId}`)
    }
    const asks = !options.yes && !options.dryRun
    if (asks && (terminal.json || !process.stdin.isTTY)) {
      throw new CommandError('NEEDS_YES', 'nobody can be asked here: say --yes, or --dry-run to see how many')
    }
    const closing = createClosing({
      patienceMs: 30_000,
      withParent: false,
      onSignal: () => terminal.remark('stopping'),
    })
    try {
      await withFeed(config, ({ encoderWith, reader, createPublisher }) =>
        withWorkerPool(async (pool) => {
          const encoder = encoderWith(pool)
          const topics = chooseTopics(encoder, config.KAFKA_TOPIC_PREFIX, options.topic)
          const { signal } = closing
          const selection = {
            period: { from: options.from, to: options.to, tenantId: options.tenant },
            topics: options.topic && new Set(topics),
            acceptsType: typeMatcher(options.type),
          }
          const reached = options.replayId ? await readReached(reader, topics, options.replayId, signal) : undefined
          const source = { pool, encoder, selection, reached, signal }
          const count = options.yes && !options.dryRun ? undefined : await countEvents(source, terminal)
          if (options.dryRun) {
            terminal.document({ wouldPublish: count })
            terminal.line(`${count} events would be published.`)
            return
          }
          if (count !== undefined && !(await isSure(`Publish ${count} events once more?`, signal))) {
            terminal.line('Nothing was published.')
            return
          }
          const replayId = options.replayId ?? createIdSource(systemClock).id()
          if (!options.replayId) terminal.remark(`replay ${replayId}`)
          const publisher = createPublisher()
          const tell = everyFew((done) =>
            terminal.progress(`published ${done}${count === undefined ? '' : ` of ${count}`}`),
          )
          let told = 0
          try {
            await encoder.prepare?.()
            const published = await replayFeed({
              ...source,
              publisher,
              replayId,
              rate: options.rate,
              pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}), // only a signal ends it early
              onProgress: (done) => {
                told = done
                tell(done)
              },
            })
            terminal.endProgress()
            terminal.document({ replayId, published, complete: !signal.aborted })
            terminal.line(`${published} events published, with ce_replayid ${replayId}.`)
          } catch (error) {
            terminal.endProgress()
            sayHowToGoOn(terminal, options, replayId, told)
            throw error
          } finally {
            await publisher.disconnect()
          }
          if (signal.aborted) {
            sayHowToGoOn(terminal, options, replayId, told)
            context.exitWith(exitCodes.temporary)
          }
        }),
      )
    } finally {
      closing.release()
    }
  })
}

async function countEvents(source: ReplaySource, terminal: Terminal): Promise<number> {
  terminal.progress('counting')
  const tell = everyFew((found) => terminal.progress(`counting: ${found}`))
  const count = await countForReplay(source, tell)
  terminal.endProgress()
  return count
}

function sayHowToGoOn(terminal: Terminal, options: ReplayOptions, replayId: string, published: number): void {
  const words = ['--from', options.from.toISOString(), '--to', options.to.toISOString()]
  for (const topic of options.topic ?? []) words.push('--topic', topic)
  if (options.tenant) words.push('--tenant', options.tenant)
  if (options.type) words.push('--type', `'${options.type}'`)
  if (options.rate) words.push('--rate', String(options.rate))
  terminal.remark(
    `cut off after ${published} events; to go on: carillon feed replay ${words.join(' ')} --replay-id ${replayId}`,
  )
}

async function isSure(question: string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
  } catch (error) {
    if (signal.aborted) return false
    throw error
  } finally {
    lines.close()
  }
}

const every = 10_000
function everyFew(tell: (count: number) => void): (count: number) => void {
  let last = 0
  return (count) => {
    if (count - last < every) return
    last = count
    tell(count)
  }
}
