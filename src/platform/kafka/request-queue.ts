import { createRequire } from 'node:module'
import { systemClock } from '../clock.ts'

interface RequestQueue {
  pending: unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/**
 * The method that kafkajs 2.2.4 gets wrong, put right: a check is due only while requests wait, and never before now.
 * Its own one arms a timer with a negative time whenever nothing waits, and does so again each time the timer fires.
 */
export function tameRequestQueue(): void {
  const require = createRequire(import.meta.url)
  if (require('kafkajs/package.json').version !== '2.2.4') return
  const queue: { prototype: RequestQueue } = require('kafkajs/src/network/requestQueue')
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId) return
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null
        this.checkPendingRequests()
      },
      Math.max(10, this.throttledUntil - systemClock.now().getTime()),
    )
  }
}
