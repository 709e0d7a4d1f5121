import type { ChunkJob } from '../queue/dispatcher.ts'
import type { Unit } from '../queue/line.ts'
import type { Chunk } from '../queue/queues.ts'
import { mergeChunks, type WorkChunk } from './chunks.ts'
import type { DeliveriesChunk } from './deliver.ts'
import type { IntentsChunk } from './process-intents.ts'

/** Jobs of intents as units of work. What comes for the first time may grow while it waits. */
export function intentsUnits(
  jobs: readonly ChunkJob[],
  chunkSize: number,
  work: (chunk: WorkChunk & IntentsChunk, ...rest: Parameters<Unit['work']>) => Promise<void>,
): Unit[] {
  const [first, others] = [jobs.filter(isFirst), jobs.filter((job) => !isFirst(job))]
  const growing = mergeChunks(first, chunkSize).map(({ chunk, jobs }) => {
    const { tenant_id, ids, priority = 0 } = chunk
    return intentsUnit({ tenant_id, ids, priority }, jobs, chunkSize, work)
  })
  return [...growing, ...fetchedUnits(others, chunkSize, work)]
}

const isFirst = ({ data, retryCount }: ChunkJob) => retryCount === 0 && !data.after

/** Fetched jobs as units of work, small ones of a tenant together. */
export function fetchedUnits(
  jobs: readonly ChunkJob[],
  chunkSize: number,
  work: (chunk: WorkChunk, ...rest: Parameters<Unit['work']>) => Promise<void>,
): Unit[] {
  return mergeChunks(jobs, chunkSize).map(({ chunk, jobs }) => ({
    tenant: chunk.tenant_id,
    priority: chunk.priority ?? 0,
    jobs,
    size: chunk.ids.length,
    work: (isOurs, keepFor) => work(chunk, isOurs, keepFor),
  }))
}

/**
 * Intents to be planned, with what they say where this process has just accepted them. While they wait, those of a tenant
 * gather into one planning.
 */
export function intentsUnit(
  chunk: IntentsChunk & { priority: number },
  jobs: ChunkJob[],
  chunkSize: number,
  work: (chunk: IntentsChunk & { tries: 0 }, ...rest: Parameters<Unit['work']>) => Promise<void>,
): Unit & { chunk: typeof chunk } {
  return {
    chunk,
    tenant: chunk.tenant_id,
    priority: chunk.priority,
    jobs,
    size: chunk.ids.length,
    work: (isOurs, keepFor) => work({ ...chunk, tries: 0 }, isOurs, keepFor),
    merge(next) {
      const other = (next as Partial<ReturnType<typeof intentsUnit>>).chunk
      if (other?.tenant_id !== chunk.tenant_id || other.priority !== chunk.priority) return undefined
      if (chunk.ids.length + other.ids.length > chunkSize) return undefined
      const both = {
        tenant_id: chunk.tenant_id,
        priority: chunk.priority,
        ids: [...chunk.ids, ...other.ids],
        intents: chunk.intents && other.intents && [...chunk.intents, ...other.intents],
      }
      return intentsUnit(both, [...jobs, ...next.jobs], chunkSize, work)
    },
  }
}

/** Deliveries that this process has just planned, and claimed in planning. */
export function plannedUnit(
  planned: NonNullable<DeliveriesChunk['planned']>,
  data: Chunk,
  jobs: ChunkJob[],
  work: (chunk: DeliveriesChunk, isOurs: () => boolean) => Promise<void>,
): Unit {
  return {
    tenant: data.tenant_id,
    priority: data.priority ?? 0,
    jobs,
    size: data.ids.length,
    handsBackItself: true,
    work: (isOurs) => work({ ...data, tries: 0, planned }, isOurs),
  }
}

/** The same without a job of its own: it is sent in the intents' jobs, which are to be kept until `ended`. */
export function keptUnit(
  planned: NonNullable<DeliveriesChunk['planned']>,
  data: Chunk,
  isOurs: () => boolean,
  work: (chunk: DeliveriesChunk, isOurs: () => boolean) => Promise<void>,
): { unit: Unit; ended: Promise<void> } {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  const unit = plannedUnit(planned, data, [], (chunk) => work(chunk, isOurs).then(resolve, reject))
  return { unit, ended }
}
