import type { Channel } from './channel.ts'
import type { DigestPolicy } from './digest.ts'
import type { Frequency } from './preferences.ts'
import type { SendWindow } from './schedule.ts'

/** A kind of message, as a tenant defines it: who may refuse it, who must have agreed to it, and what it may cost. */
export interface Category {
  name: string
  /** Nobody can switch it off. Never together with `marketing`. */
  required: boolean
  /** Needs an opt-in on record. */
  marketing: boolean
  /** For people who said nothing. */
  enabled: boolean
  /** The only channels it uses; absent: any. */
  channels?: readonly Channel[]
  minPriority?: number
  frequency: Frequency
  digest?: DigestPolicy
  sendWindow?: SendWindow
  /** What becomes of what a limit does not let through. */
  onExcess: 'snooze' | 'suppress'
}

/** A category that nobody has defined; `marketing` needs consent even so. */
export function undefinedCategory(name: string): Category {
  const marketing = name === 'marketing' || name.startsWith('marketing.')
  return {
    name,
    required: false,
    marketing,
    enabled: true,
    frequency: 'instant',
    onExcess: marketing ? 'suppress' : 'snooze',
  }
}
