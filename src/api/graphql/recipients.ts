import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import type { InputFault } from '../../pipeline/accept/input-fault.ts'
import {
  email,
  faultsOf,
  indexed,
  locale,
  oneLine,
  orAbsent,
  timezone,
  webUrl,
} from '../../pipeline/accept/validate-fields.ts'
import { findRecipients, type RecipientRow, upsertRecipients } from '../../store/recipients.ts'
import { builder } from './builder.ts'
import { asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { ChannelEnum } from './scalars.ts'

const maxRecipients = 1_000

const ContactPointInput = builder.inputType('ContactPointInput', {
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, required: true }),
    address: t.string({ required: true }),
  }),
})

const RecipientProfileInput = builder.inputType('RecipientProfileInput', {
  description: 'A recipient as it shall be: what is left out is cleared, but for the contact points.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Your id of the recipient.' }),
    name: t.string(),
    locale: t.string({ description: 'BCP 47' }),
    timezone: t.string({ description: 'IANA' }),
    roles: t.stringList(),
    groups: t.stringList(),
    contactPoints: t.field({
      type: [ContactPointInput],
      description: 'All there are, the preferred one of a channel first. Absent: they stay as they are.',
    }),
  }),
})

const ContactPoint = builder.objectRef<RecipientRow['contact_points'][number]>('ContactPoint').implement({
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, resolve: (point) => point.channel }),
    address: t.exposeString('address'),
    verifiedAt: t.field({ type: 'DateTime', nullable: true, resolve: (point) => point.verified_at }),
    invalidAt: t.field({ type: 'DateTime', nullable: true, resolve: (point) => point.invalid_at }),
    invalidReason: t.exposeString('invalid_reason', { nullable: true }),
  }),
})

const Recipient = builder.objectRef<RecipientRow>('Recipient').implement({
  description: 'Who may be notified.',
  fields: (t) => ({
    id: t.exposeID('external_id'),
    name: t.exposeString('name', { nullable: true }),
    locale: t.exposeString('locale', { nullable: true }),
    timezone: t.exposeString('timezone', { nullable: true }),
    roles: t.exposeStringList('roles'),
    groups: t.exposeStringList('groups'),
    contactPoints: t.field({ type: [ContactPoint], resolve: (recipient) => recipient.contact_points }),
    createdAt: t.field({ type: 'DateTime', resolve: (recipient) => recipient.created_at }),
    updatedAt: t.field({ type: 'DateTime', resolve: (recipient) => recipient.updated_at }),
  }),
})

const names = z.array(oneLine(200).refine((name) => name !== '', 'must not be empty')).max(100, 'must be at most 100')
const addressOf: Partial<Record<Channel, z.ZodType<string>>> = { email, webhook: webUrl }

const profile = z.object({
  id: oneLine(255).refine((value) => value !== '', 'must not be empty'),
  name: orAbsent(oneLine(2048)),
  locale: orAbsent(locale),
  timezone: orAbsent(timezone),
  roles: orAbsent(names),
  groups: orAbsent(names),
  contactPoints: orAbsent(
    z
      .array(
        z.object({ channel: z.custom<Channel>(), address: indexed(1_024) }).superRefine((point, check) => {
          const judged = addressOf[point.channel]?.safeParse(point.address)
          if (judged?.success === false) {
            check.addIssue({ code: 'custom', path: ['address'], message: judged.error.issues[0]!.message })
          }
        }),
      )
      .max(50, 'must be at most 50'),
  ),
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
        const ids = profiles.map(({ externalId }) => externalId)
        const byId = new Map((await findRecipients(trx, tenantId, ids)).map((row) => [row.external_id, row]))
        return ids.map((id) => byId.get(id)!)
      })
    },
  }),
)

builder.queryField('recipient', (t) =>
  t.field({
    type: Recipient,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, args, context) => {
      requireScope(context, 'manage')
      return asCaller(context, async (trx) => (await findRecipients(trx, context.principal.tenantId, [args.id]))[0])
    },
  }),
)

function validateProfiles(inputs: readonly unknown[]) {
  if (inputs.length > maxRecipients) {
    throw fault('BAD_USER_INPUT', `inputs must be at most ${maxRecipients}`, { path: ['inputs'] })
  }
  const faults: InputFault[] = []
  const seen = new Set<string>()
  const profiles = inputs.flatMap((input, index) => {
    const path = ['inputs', String(index)]
    const parsed = profile.safeParse(input)
    if (!parsed.success) {
      faults.push(...faultsOf(parsed.error, path))
      return []
    }
    const { id, name, locale, timezone, roles, groups, contactPoints } = parsed.data
    if (seen.has(id)) faults.push({ path: [...path, 'id'], message: 'is there twice' })
    seen.add(id)
    const points = contactPoints && [
      ...new Map(contactPoints.map((point) => [`${point.channel} ${point.address}`, point])).values(),
    ]
    return [
      {
        externalId: id,
        name: name ?? null,
        locale: locale ?? null,
        timezone: timezone ?? null,
        roles: [...new Set(roles)],
        groups: [...new Set(groups)],
        contactPoints: points,
      },
    ]
  })
  if (faults.length > 0) throw validationFault(faults)
  return profiles
}
