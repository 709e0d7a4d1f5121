import { createSlots, type Slots } from './slots.ts'

/** A call of an endpoint that may be made now. */
export interface Call {
  /** How long it took, and whether it succeeded; nothing: it was not made after all. */
  end(made?: { ms: number; succeeded: boolean }): void
}

/**
 * What keeps one endpoint from holding up the others: it has so many calls under way at most, those that wait hold no slot of the
 * channel, and while it hangs they are not made at all.
 */
export interface EndpointSlots {
  /** Waits for the endpoint's turn. undefined: it has hung several times in a row, and is left alone for a while. */
  take(tenantId: string, url: string): Promise<Call | undefined>
}

/** A failure that took longer is a hang: quick ones hold nobody up. */
const hangMs = 2_000
const mostHangs = 5
/** Between two calls that try whether it answers again. Longer than a call may take, so that one of them is under way at most. */
const restMs = 30_000

interface Endpoint {
  slots: Slots
  users: number
  hangs: number
  restsUntilMs: number
}

const mostIdle = 1_000

export function createEndpointSlots(limit: number, nowMs: () => number): EndpointSlots {
  const endpoints = new Map<string, Endpoint>()

  /** The first to come after a rest is the one that tries. */
  function isResting(endpoint: Endpoint): boolean {
    if (endpoint.hangs < mostHangs) return false
    if (nowMs() < endpoint.restsUntilMs) return true
    endpoint.restsUntilMs = nowMs() + restMs
    return false
  }

  function sweep(): void {
    for (const [key, { users, restsUntilMs }] of endpoints) {
      if (users === 0 && restsUntilMs < nowMs()) endpoints.delete(key)
    }
  }

  return {
    async take(tenantId, url) {
      const key = `${tenantId} ${url}` // not the host alone: others may be there
      if (endpoints.size > mostIdle) sweep()
      const endpoint = endpoints.get(key) ?? { slots: createSlots(limit), users: 0, hangs: 0, restsUntilMs: 0 }
      endpoints.set(key, endpoint)
      endpoint.users++
      const release = await endpoint.slots.take(tenantId)
      const leave = () => {
        release()
        if (--endpoint.users === 0 && endpoint.hangs === 0) endpoints.delete(key)
      }
      if (isResting(endpoint)) {
        leave()
        return undefined
      }
      return {
        end(made) {
          if (made && (made.succeeded || made.ms < hangMs)) endpoint.hangs = 0
          else if (made && ++endpoint.hangs === mostHangs) endpoint.restsUntilMs = nowMs() + restMs
          leave()
        },
      }
    },
  }
}
