import type pg from 'pg'
import { readConfig } from '../../config/config.ts'
import { bridgeReading } from '../../pipeline/accept/bridge-reading.ts'
import { type Replayed, replayParked } from '../../pipeline/accept/replay-parked.ts'
import { systemClock } from '../../platform/clock.ts'
import { createIdSource } from '../../platform/id-source.ts'
import type { ParkedFilter } from '../../store/parked-messages.ts'

/** Replays as a bridge with these settings would read. */
export async function replayWithSettings(pool: pg.Pool, filter: ParkedFilter): Promise<Replayed> {
  return replayParked(filter, {
    ...bridgeReading(readConfig(), systemClock),
    pool,
    ids: createIdSource(systemClock),
    now: () => systemClock.now(),
  })
}
