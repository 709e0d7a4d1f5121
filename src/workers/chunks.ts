import { isPassingFault } from '../platform/db.ts'
import type { ChunkJob } from '../queue/dispatcher.ts'
import type { Chunk } from '../queue/queues.ts'

export interface WorkChunk extends Chunk {
  /** How often its job was claimed before, by a worker that did not finish it. */
  tries: number
}

/** A chunk and the jobs it came in. */
export interface MergedChunk {
  chunk: WorkChunk
  jobs: ChunkJob[]
}

/**
 * Merges fetched jobs into chunks: one tenant each, at most `size` ids, so that many small jobs cost as little as one
 * large one. Jobs that come again, and those that go on with a role's members or take over, stay alone.
 */
export function mergeChunks(jobs: readonly ChunkJob[], size: number): MergedChunk[] {
  const merged: MergedChunk[] = []
  const open = new Map<string, MergedChunk>()
  for (const job of jobs) {
    const { data, retryCount } = job
    if (retryCount > 0 || data.after || data.abandoned) {
      merged.push({ chunk: { ...data, tries: retryCount }, jobs: [job] })
      continue
    }
    const current = open.get(data.tenant_id)
    if (current && current.chunk.ids.length + data.ids.length <= size) {
      current.chunk.ids.push(...data.ids)
      current.chunk.priority = Math.max(current.chunk.priority ?? 0, data.priority ?? 0)
      current.jobs.push(job)
      continue
    }
    const fresh = {
      chunk: { tenant_id: data.tenant_id, ids: [...data.ids], priority: data.priority, tries: 0 },
      jobs: [job],
    }
    open.set(data.tenant_id, fresh)
    merged.push(fresh)
  }
  return merged
}

/** Tries of one id by itself before it is given up: about a minute. */
const mostTries = 6

/**
 * Works a chunk; where one that comes again fails once more, works its halves instead, down to the one id that is to
 * blame, so that the others get through. An id that fails time and again, and not because the database is away, is given
 * up by name. For work that skips what is done, and so does no harm the second time: planning, and never sending. Throws
 * the first failure, and the job is tried again.
 */
export async function workIsolating(
  chunk: WorkChunk,
  work: (chunk: WorkChunk) => Promise<void>,
  giveUp: (chunk: WorkChunk, cause: unknown) => Promise<void>,
): Promise<void> {
  try {
    await work(chunk)
  } catch (error) {
    if (chunk.tries === 0 || isPassingFault(error)) throw error
    if (chunk.ids.length === 1) {
      if (chunk.tries < mostTries) throw error
      await giveUp(chunk, error)
      return
    }
    const middle = Math.ceil(chunk.ids.length / 2)
    const halves = [chunk.ids.slice(0, middle), chunk.ids.slice(middle)]
    const results = await Promise.allSettled(halves.map((ids) => workIsolating({ ...chunk, ids }, work, giveUp)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}
