import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Channel, channels } from '../../domain/channel.ts'
import type { Message } from '../../domain/message.ts'
import type { Clock } from '../../platform/clock.ts'
import { createIdSource } from '../../platform/id-source.ts'

/** A message as it was captured: without signing secrets, and without the bytes of its attachments. */
export interface CapturedMessage {
  /** A UUIDv7: later captures have greater ids. */
  id: string
  /** ISO 8601. */
  capturedAt: string
  channel: Channel
  message: Message
  /** For e-mail: the whole text as it would go over the wire (RFC 5322). */
  eml?: string
}

export interface CaptureQuery {
  /** Default 50. */
  limit?: number
  /** Only those captured before this id: the last id of the page before. */
  before?: string
  channel?: Channel
}

export interface CaptureMailbox {
  /** Keeps the message and returns its id. */
  add(message: Message, eml?: string): Promise<string>
  /** Newest first. */
  list(query?: CaptureQuery): Promise<CapturedMessage[]>
  get(id: string): Promise<CapturedMessage | undefined>
}

export interface CaptureSettings {
  directory: string
  /** How many messages stay; the oldest make room. Default 1000. Each process that writes counts its own and those it found. */
  keep?: number
}

const fileName = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([a-z_]+)\.json$/

/**
 * The development mailbox: one file per captured message, readable only by the user that runs the service. It is not for
 * production, whose messages do not belong on a disk. Several mailboxes may share a directory, so the console may read
 * in one process what a worker wrote in another.
 */
export function createCaptureMailbox({
  directory,
  keep = 1_000,
  clock,
}: CaptureSettings & { clock: Clock }): CaptureMailbox {
  const ids = createIdSource(clock)
  let kept: Promise<string[]> | undefined

  /** File names, oldest first; the ids rise, so their order is the order of capture. */
  async function fileNames(): Promise<string[]> {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return (await readdir(directory)).filter((name) => fileName.test(name)).sort()
  }

  /** Read once; a directory that could not be read is tried again by the next message. */
  function keptNames(): Promise<string[]> {
    kept ??= fileNames().catch((error: unknown) => {
      kept = undefined
      throw error
    })
    return kept
  }

  async function read(name: string): Promise<CapturedMessage | undefined> {
    try {
      return JSON.parse(await readFile(join(directory, name), 'utf8')) as CapturedMessage
    } catch (error) {
      if (isMissing(error)) return undefined // made room for a newer one meanwhile
      throw error
    }
  }

  async function add(message: Message, eml?: string): Promise<string> {
    const names = await keptNames()
    const id = ids.id()
    const name = `${id}.${message.channel}.json`
    const captured: CapturedMessage = {
      id,
      capturedAt: clock.now().toISOString(),
      channel: message.channel,
      message: withoutSecrets(message),
      ...(eml === undefined ? {} : { eml }),
    }
    // Renamed into place, so that a reader never meets half a file.
    const unfinished = join(directory, `${id}.tmp`)
    await writeFile(unfinished, JSON.stringify(captured, null, 2), { mode: 0o600 })
    await rename(unfinished, join(directory, name))
    names.push(name)
    const surplus = names.splice(0, Math.max(0, names.length - keep))
    await Promise.all(surplus.map((old) => rm(join(directory, old), { force: true })))
    return id
  }

  async function list({ limit = 50, before, channel }: CaptureQuery = {}): Promise<CapturedMessage[]> {
    const names = (await fileNames()).reverse().filter((name) => {
      const [, id, of] = fileName.exec(name)!
      return (before === undefined || id! < before) && (channel === undefined || of === channel)
    })
    const found = await Promise.all(names.slice(0, limit).map(read))
    return found.filter((captured) => captured !== undefined)
  }

  async function get(id: string): Promise<CapturedMessage | undefined> {
    for (const channel of channels) {
      const name = `${id}.${channel}.json`
      if (!fileName.test(name)) return undefined // an id from outside is never a path
      const captured = await read(name)
      if (captured) return captured
    }
    return undefined
  }

  return { add, list, get }
}

function withoutSecrets(message: Message): Message {
  const attachments = message.email?.attachments?.map(({ contentBase64: _bytes, ...file }) => file)
  return {
    ...message,
    ...(message.webhook ? { webhook: { ...message.webhook, secrets: [] } } : {}),
    ...(attachments ? { email: { ...message.email, attachments } } : {}),
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
