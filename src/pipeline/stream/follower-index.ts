import { intentIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import type { Follower } from './follower.ts'

/**
 * What a follower's events have in common, so that an event is offered to those alone whom it may concern: they name
 * this recipient, or are of this intent's story.
 */
export type Concern = { recipientId: string } | { intentId: string }

export interface FollowerIndex {
  add(follower: Follower): void
  delete(follower: Follower): void
  /** Those whom an event of their tenant may concern. */
  concernedBy(event: StatusEvent): Iterable<Follower>
  tenantIds(): string[]
  all(): Iterable<Follower>
  readonly size: number
}

/** Key of a concern; followers without one share the empty key. */
const everything = ''
const ofRecipient = (id: string) => `recipient ${id}`
const ofIntent = (id: string) => `intent ${id}`

/** The followers of each tenant by what concerns them: an event costs its own followers, however many the others are. */
export function createFollowerIndex(): FollowerIndex {
  const tenants = new Map<string, Map<string, Set<Follower>>>()
  let size = 0

  return {
    add(follower) {
      const ofTenant = tenants.get(follower.tenantId) ?? new Map<string, Set<Follower>>()
      const key = keyOf(follower.about)
      const group = ofTenant.get(key) ?? new Set()
      if (group.has(follower)) return
      tenants.set(follower.tenantId, ofTenant.set(key, group.add(follower)))
      size++
    },
    delete(follower) {
      const ofTenant = tenants.get(follower.tenantId)
      const key = keyOf(follower.about)
      const group = ofTenant?.get(key)
      if (!ofTenant || !group?.delete(follower)) return
      size--
      if (group.size === 0) ofTenant.delete(key)
      if (ofTenant.size === 0) tenants.delete(follower.tenantId)
    },
    *concernedBy({ tenantId, subjectId, data }) {
      const ofTenant = tenants.get(tenantId)
      if (!ofTenant) return
      const { recipient_id } = data
      yield* ofTenant.get(everything) ?? []
      if (typeof recipient_id === 'string') yield* ofTenant.get(ofRecipient(recipient_id)) ?? []
      yield* ofTenant.get(ofIntent(intentIdOf(subjectId))) ?? []
    },
    tenantIds: () => [...tenants.keys()],
    *all() {
      for (const ofTenant of tenants.values()) for (const group of ofTenant.values()) yield* group
    },
    get size() {
      return size
    },
  }
}

function keyOf(about: Concern | undefined): string {
  if (!about) return everything
  return 'recipientId' in about ? ofRecipient(about.recipientId) : ofIntent(about.intentId)
}
