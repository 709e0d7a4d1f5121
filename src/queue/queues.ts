import { type Channel, channels } from '../domain/channel.ts'
import type { Lane } from '../domain/priority.ts'

const lanes: Lane[] = ['critical', 'bulk']

/** Chunks of accepted intents that wait to be planned. */
export const intentsQueue = (lane: Lane): string => `intents-${lane}`

/** Chunks of deliveries of one channel: a failing channel never holds back another. */
export const deliveriesQueue = (channel: Channel, lane: Lane): string => `deliver-${channel}-${lane}`

export const laneOfQueue = (queue: string): Lane => (queue.endsWith('-critical') ? 'critical' : 'bulk')

/** Jobs that failed time and again, through a fault of ours; a person looks at them. */
export const stuckQueue = 'stuck'

export const maintenanceQueue = 'maintenance'

/** What a job carries: ids, never content. */
export interface Chunk {
  tenant_id: string
  ids: string[]
  /** The greatest of its ids'; absent: 0. */
  priority?: number
  /**
   * Where the expansion of a role or group goes on: which recipient of the request, after which member, with which ordinal. Of a
   * business event, with the rules that are still to be worked, as they were when it was matched.
   */
  after?: { ref: number; recipientId: string; ordinal: number; rules?: { id: string; version: number }[] }
  /** How many attempts its deliveries had when the job was made; absent: that is not known. */
  attempts?: number
  /** Deliveries that were sent in the job of their intents, by a process that was lost: they are taken over. */
  abandoned?: true
}

export interface QueueSpec {
  name: string
  /** How long a claim lasts without a heartbeat before another worker may take the chunk over. */
  heartbeatSeconds: number
  expireInSeconds: number
}

/** A claim ends with its heartbeat; the expiry is for a worker that beats and does nothing else. */
const work = (name: string): QueueSpec => ({ name, heartbeatSeconds: 10, expireInSeconds: 6 * 3600 })

export const workQueues: QueueSpec[] = [
  ...lanes.map((lane) => work(intentsQueue(lane))),
  ...channels.flatMap((channel) => lanes.map((lane) => work(deliveriesQueue(channel, lane)))),
]
