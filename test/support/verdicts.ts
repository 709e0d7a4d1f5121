import type { Category } from '../../src/domain/category.ts'
import { decide, type GateSettings } from '../../src/domain/decide.ts'
import type { Decision } from '../../src/domain/decision.ts'
import type { Person } from '../../src/domain/person.ts'
import type { Preferences } from '../../src/domain/preferences.ts'
import type { Want } from '../../src/domain/want.ts'

/** An event, a recipient, what is said, and a clock. What is absent is as ordinary as can be. */
export interface Given {
  at?: string
  want?: Partial<Want>
  person?: Partial<Person>
  says?: Preferences
  defaults?: Preferences
  category?: Partial<Category> & { name: string }
  settings?: Partial<GateSettings>
}

export const ordinaryNow = '2026-11-20T12:00:00Z'

export const person: Person = {
  type: 'user',
  id: 'ann',
  known: true,
  addresses: { email: 'ann@example.com', sms: '+49151', slack: 'U1', push: 'token' },
  enabled: true,
  roles: [],
  groups: [],
  attributes: {},
  consents: {},
  suppressions: {},
}

export function category(said: Partial<Category> & { name: string }): Category {
  return { required: false, marketing: false, enabled: true, frequency: 'instant', onExcess: 'snooze', ...said }
}

export function decisionOf(given: Given): Decision {
  const now = new Date(given.at ?? ordinaryNow)
  const name = given.want?.category ?? given.category?.name
  return decide(
    {
      type: 'commerce.order.shipped',
      priority: 1,
      channels: ['email'],
      acceptedAt: now,
      category: name,
      ...given.want,
    },
    { ...person, preferences: given.says && { version: 3, said: given.says }, ...given.person },
    {
      settings: { enabledChannels: [], defaultChannels: ['email'], ...given.settings },
      categories: new Map(given.category ? [[given.category.name, category(given.category)]] : []),
      defaults: given.defaults && { version: 7, said: given.defaults },
    },
    now,
  )
}

/**
 * A decision in a line: `email, sms` are sent now, `email no_consent` is suppressed, `email quiet_hours 2026-11-21T06:00Z`
 * waits until then, `(slack)` is held as a fallback, `fold category:news` waits in a digest; an outcome stands first.
 */
export function inALine({ outcome, reason, fold, deliveries }: Decision): string {
  if (fold) return `fold ${fold.key}`
  const told = deliveries.map(({ channel, state, until, reason: why }) => {
    if (state === 'held') return `(${channel})`
    if (state === 'snoozed') return `${channel} ${why} ${until?.toISOString().replace(':00.000Z', 'Z')}`
    if (state === 'suppressed') return `${channel} ${why}`
    return state === 'sent' ? `${channel} written` : channel
  })
  const ended = outcome && `${outcome} by ${reason}`
  return [ended, told.join(', ')].filter(Boolean).join(': ')
}
