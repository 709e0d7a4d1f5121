import type pg from 'pg'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import { type RecipientInput, validateRecipient } from '../../pipeline/accept/validate-recipient.ts'
import {
  deleteRecipients,
  findRecipients,
  type RecipientProfile,
  type RecipientRow,
  upsertRecipients,
} from '../../store/recipients.ts'
import { builder } from './builder.ts'
import { ContactPointInput } from './contact-point-mutations.ts'
import { asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Recipient } from './recipients.ts'

const maxRecipients = 1_000

const RecipientProfileInput = builder.inputType('RecipientProfileInput', {
  description:
    'A recipient as it shall be: what is left out is cleared, but for enabled, attributes and the contact points, which stay.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Your id of the recipient.' }),
    name: t.string(),
    locale: t.string({ description: 'BCP 47' }),
    timezone: t.string({ description: 'IANA' }),
    enabled: t.boolean({ description: 'false: nothing is sent. A new recipient is enabled.' }),
    roles: t.stringList(),
    groups: t.stringList(),
    attributes: t.field({ type: 'JSON', description: 'An object that rules can ask of; at most 64 KiB.' }),
    contactPoints: t.field({
      type: [ContactPointInput],
      description: 'All there are, the preferred one of a channel first. Absent: they stay as they are.',
    }),
  }),
})

builder.mutationField('upsertRecipients', (t) =>
  t.field({
    type: [Recipient],
    description: 'Writes up to 1000 recipients, in order; all of them or, if one is at fault, none.',
    args: { inputs: t.arg({ type: [RecipientProfileInput], required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'manage')
      const profiles = validateProfiles(args.inputs)
      const { tenantId } = context.principal
      return asCaller(context, async (trx) => {
        await upsertRecipients(trx, tenantId, profiles, context.services.clock.now())
        return inOrder(
          trx,
          tenantId,
          profiles.map(({ externalId }) => externalId),
        )
      })
    },
  }),
)

builder.mutationField('deleteRecipients', (t) =>
  t.idList({
    description:
      'Deletes up to 1000 recipients with their contact points and preferences, and withdraws their consents; answers with those that were there. What is planned for them is not sent.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, args, context) => {
      requireScope(context, 'manage')
      if (args.ids.length > maxRecipients) throw tooMany('ids')
      const { tenantId, keyId } = context.principal
      const now = context.services.clock.now()
      return asCaller(context, (trx) => deleteRecipients(trx, tenantId, args.ids, `deleted by key ${keyId}`, now))
    },
  }),
)

const tooMany = (path: string) => fault('BAD_USER_INPUT', `${path} must be at most ${maxRecipients}`, { path: [path] })

async function inOrder(trx: pg.PoolClient, tenantId: string, ids: readonly string[]): Promise<RecipientRow[]> {
  const byId = new Map((await findRecipients(trx, tenantId, ids)).map((row) => [row.external_id, row]))
  return ids.map((id) => byId.get(id)!)
}

function validateProfiles(inputs: readonly unknown[]): RecipientProfile[] {
  if (inputs.length > maxRecipients) throw tooMany('inputs')
  const faults: InputFault[] = []
  const seen = new Set<string>()
  const profiles = inputs.flatMap((input, index) => {
    const path = ['inputs', String(index)]
    const judged = validateRecipient(input, path)
    if (!judged.ok) {
      faults.push(...judged.faults)
      return []
    }
    const { id } = judged.said
    if (seen.has(id)) faults.push({ path: [...path, 'id'], message: 'is there twice' })
    seen.add(id)
    return [profileOf(judged.said)]
  })
  if (faults.length > 0) throw validationFault(faults)
  return profiles
}

function profileOf({ id, name, locale, timezone, roles, groups, ...said }: RecipientInput): RecipientProfile {
  return {
    externalId: id,
    name: name ?? null,
    locale: locale ?? null,
    timezone: timezone ?? null,
    enabled: said.enabled ?? undefined,
    roles: roles ?? [],
    groups: groups ?? [],
    attributes: said.attributes ?? undefined,
    contactPoints: said.contactPoints ?? undefined,
  }
}
