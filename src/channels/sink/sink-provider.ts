import { setTimeout as delay } from 'node:timers/promises'
import type { Channel } from '../../domain/channel.ts'
import type { Provider } from '../port.ts'

export interface SinkSettings {
  channel: Channel
  /** How long the imagined provider takes. Default 0: it answers at once, without a timer. */
  latencyMs?: number
}

/** Accepts everything and keeps nothing: for the bench, which measures us and not a provider. */
export function createSinkProvider({ channel, latencyMs = 0 }: SinkSettings): Provider {
  return {
    channel,
    name: 'sink',
    async send(message, signal) {
      if (latencyMs > 0) {
        const stopped = await delay(latencyMs, false, { signal }).catch(() => true)
        if (stopped) return { kind: 'unknown', reason: 'transient', detail: 'stopped' }
      }
      return { kind: 'accepted', providerMessageId: message.deliveryId }
    },
    close: async () => {},
  }
}
