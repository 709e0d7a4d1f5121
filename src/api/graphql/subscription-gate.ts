/** Room for one subscription: it ends when `signal` aborts, and must be given back. */
export interface SubscriptionPlace {
  signal: AbortSignal
  /** The subscription is established: from now on it counts as open. */
  begin(): void
  release(): void
}

export interface SubscriptionGate {
  /** undefined: this key has as many as it may. */
  enter(keyId: string): SubscriptionPlace | undefined
  /** Ends all of them, and takes no more. */
  close(): void
  readonly open: number
}

/** Counts the subscriptions of each API key in this process, and ends them at shutdown. */
export function createSubscriptionGate(limitPerKey: number): SubscriptionGate {
  const places = new Map<string, Set<AbortController>>()
  let closed = false
  let open = 0

  return {
    enter(keyId) {
      const ofKey = places.get(keyId) ?? new Set()
      if (closed || ofKey.size >= limitPerKey) return undefined
      const controller = new AbortController()
      places.set(keyId, ofKey.add(controller))
      let begun = false
      return {
        signal: controller.signal,
        begin() {
          begun = true
          open++
        },
        release() {
          controller.abort()
          if (!ofKey.delete(controller)) return
          if (begun) open--
          if (ofKey.size === 0 && places.get(keyId) === ofKey) places.delete(keyId)
        },
      }
    },
    close() {
      closed = true
      for (const ofKey of places.values()) for (const controller of ofKey) controller.abort()
    },
    get open() {
      return open
    },
  }
}
