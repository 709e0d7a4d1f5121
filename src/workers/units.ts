import type { ChunkJob } from '../queue/dispatcher.ts'
import type { Unit } from '../queue/line.ts'
import { mergeChunks, type WorkChunk } from './chunks.ts'
import type { DeliveriesChunk } from './deliver.ts'
import type { IntentsChunk } from './process-intents.ts'

/** Fetched jobs as units of work, small ones of a tenant together. */
export function fetchedUnits(
  jobs: readonly ChunkJob[],
  chunkSize: number,
  work: (chunk: WorkChunk, isOurs: () => boolean) => Promise<void>,
): Unit[] {
  return mergeChunks(jobs, chunkSize).map(({ chunk, jobs }) => ({
    tenant: chunk.tenant_id,
    priority: chunk.priority ?? 0,
    jobs,
    size: chunk.ids.length,
    work: (isOurs) => work(chunk, isOurs),
  }))
}

/** Intents that this process has just accepted. While they wait, those of a tenant gather into one planning. */
export function acceptedUnit(
  chunk: Required<Pick<IntentsChunk, 'tenant_id' | 'priority' | 'ids' | 'intents'>>,
  jobs: ChunkJob[],
  chunkSize: number,
  work: (chunk: IntentsChunk & { tries: 0 }) => Promise<void>,
): Unit & { chunk: typeof chunk } {
  return {
    chunk,
    tenant: chunk.tenant_id,
    priority: chunk.priority,
    jobs,
    size: chunk.ids.length,
    work: () => work({ ...chunk, tries: 0 }),
    merge(next) {
      const other = (next as Partial<ReturnType<typeof acceptedUnit>>).chunk
      if (other?.tenant_id !== chunk.tenant_id || other.priority !== chunk.priority) return undefined
      if (chunk.ids.length + other.ids.length > chunkSize) return undefined
      const both = {
        tenant_id: chunk.tenant_id,
        priority: chunk.priority,
        ids: [...chunk.ids, ...other.ids],
        intents: [...chunk.intents, ...other.intents],
      }
      return acceptedUnit(both, [...jobs, ...next.jobs], chunkSize, work)
    },
  }
}

/** Deliveries that this process has just planned, and claimed in planning. */
export function plannedUnit(
  planned: NonNullable<DeliveriesChunk['planned']>,
  job: ChunkJob,
  work: (chunk: DeliveriesChunk, isOurs: () => boolean) => Promise<void>,
): Unit {
  const { data } = job
  return {
    tenant: data.tenant_id,
    priority: data.priority ?? 0,
    jobs: [job],
    size: data.ids.length,
    handsBackItself: true,
    work: (isOurs) => work({ ...data, tries: 0, planned }, isOurs),
  }
}
