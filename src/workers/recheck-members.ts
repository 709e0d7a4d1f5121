import type { GateSettings } from '../domain/decide.ts'
import type { Wanted } from '../domain/want.ts'
import { loadPeople } from '../pipeline/enrich/load-people.ts'
import { type Candidate, permit } from '../pipeline/permit/permit.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'
import type { SettingsCatalogue } from '../store/tenant-settings.ts'
import type { Recheck, WaitingMember } from './close-digests.ts'
import type { Dropped } from './settle-digests.ts'

export interface RecheckDeps {
  catalogue: TemplateCatalogue
  settings: SettingsCatalogue
  gates: GateSettings
}

/** Asks the gates again of what waits in a digest: preferences, consent and addresses as they stand when it is closed. */
export function createRecheck(on: RecheckDeps): Recheck {
  return async (trx, tenantId, members, now) => {
    const settings = await on.settings.of(tenantId)
    const templates = members.flatMap(({ said }) => said.template ?? [])
    await on.catalogue.load(tenantId, templates)
    const categories = [...new Set(members.flatMap(({ said }) => said.category ?? []))]
    const refs = members.map(({ digest }) => digest.recipient)
    const people = await loadPeople(trx, tenantId, refs, categories, now)
    const candidates = members.map((member, index) => ({
      id: member.notificationId,
      wanted: wantedOf(tenantId, member, now),
      recipient: people[index]!,
    }))
    const dropped = new Map<string, Dropped>()
    for (const { id, decision } of permit(candidates, on.catalogue, on.gates, settings, now)) {
      const { outcome, reason } = decision
      if (outcome && reason) dropped.set(id, { outcome, reason })
    }
    return dropped
  }
}

function wantedOf(tenantId: string, { said }: WaitingMember, now: Date): Wanted<Candidate['wanted']['intent']> {
  const { type, priority, category, channels, fallbackChannels, template, expiresAt } = said
  const intent = {
    tenantId,
    type,
    acceptedAt: now,
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
  }
  return { intent, refs: [], priority, category, channels, fallbackChannels, template, isDigest: true }
}
