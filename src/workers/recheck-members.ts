import type { GateSettings } from '../domain/decide.ts'
import type { Fold } from '../domain/digest.ts'
import type { SaidOfMember } from '../domain/digest-message.ts'
import type { RecipientRef } from '../domain/intent.ts'
import type { Wanted } from '../domain/want.ts'
import { loadPeople } from '../pipeline/enrich/load-people.ts'
import { type Candidate, permit } from '../pipeline/permit/permit.ts'
import type { Queryable } from '../platform/db.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'
import type { SettingsCatalogue } from '../store/tenant-settings.ts'
import type { Recheck } from './close-digests.ts'
import type { Refold } from './retime-digests.ts'
import type { Dropped } from './settle-digests.ts'

export interface RecheckDeps {
  catalogue: TemplateCatalogue
  settings: SettingsCatalogue
  gates: GateSettings
}

/** Asks the gates again of what waits in a digest: preferences, consent and addresses as they stand when it is closed. */
export function createRecheck(on: RecheckDeps): Recheck {
  return async (trx, tenantId, members, now) => {
    const asked = members.map((member) => ({
      id: member.notificationId,
      recipient: member.digest.recipient,
      said: member.said,
      isDigest: true as const,
    }))
    const dropped = new Map<string, Dropped>()
    for (const { id, decision } of await decideMembers(on, trx, tenantId, asked, now)) {
      const { outcome, reason } = decision
      if (outcome && reason) dropped.set(id, { outcome, reason })
    }
    return dropped
  }
}

/** In which digests what waits would wait by now. A rule's own digest stays, unless its recipient wants another. */
export function createRefold(on: RecheckDeps): Refold {
  return async (trx, tenantId, digests, now) => {
    const asked = digests.flatMap(({ id, recipient, key, policy, newest }) => {
      const fold = key.startsWith('rule:') ? { key, policy } : undefined
      return newest ? [{ id, recipient, said: newest.said, fold }] : []
    })
    const folds = new Map<string, Fold>()
    for (const { id, decision } of await decideMembers(on, trx, tenantId, asked, now)) {
      if (decision.fold) folds.set(id, decision.fold)
    }
    return folds
  }
}

interface AskedMember {
  id: string
  recipient: RecipientRef
  said: SaidOfMember
  fold?: Fold
  isDigest?: true
}

async function decideMembers(
  on: RecheckDeps,
  trx: Queryable,
  tenantId: string,
  members: readonly AskedMember[],
  now: Date,
) {
  const settings = await on.settings.of(tenantId)
  const templates = members.flatMap(({ said }) => said.template ?? [])
  await on.catalogue.load(tenantId, templates)
  const categories = [...new Set(members.flatMap(({ said }) => said.category ?? []))]
  const refs = members.map(({ recipient }) => recipient)
  const people = await loadPeople(trx, tenantId, refs, categories, now)
  const candidates = members.map((member, index) => ({
    id: member.id,
    wanted: wantedOf(tenantId, member, now),
    recipient: people[index]!,
  }))
  return permit(candidates, on.catalogue, on.gates, settings, now)
}

function wantedOf(
  tenantId: string,
  { said, fold, isDigest }: AskedMember,
  now: Date,
): Wanted<Candidate['wanted']['intent']> {
  const { type, priority, category, channels, fallbackChannels, template } = said
  const expiresAt = said.expiresAt === undefined ? undefined : new Date(said.expiresAt)
  const intent = { tenantId, type, acceptedAt: now, expiresAt }
  return { intent, refs: [], priority, category, channels, fallbackChannels, template, fold, isDigest }
}
