import { z } from 'zod'
import type { Channel } from '../../domain/channel.ts'
import { faultsOf } from '../../pipeline/accept/validate-fields.ts'
import { contactPoint, invalidReason, maxContactPoints, recipientId } from '../../pipeline/accept/validate-recipient.ts'
import { type ContactPointChange, changeContactPoint } from '../../store/contact-points.ts'
import { findRecipients, type RecipientRow } from '../../store/recipients.ts'
import { builder } from './builder.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { Recipient } from './recipients.ts'
import { ChannelEnum } from './scalars.ts'

export const ContactPointInput = builder.inputType('ContactPointInput', {
  fields: (t) => ({
    channel: t.field({ type: ChannelEnum, required: true }),
    address: t.string({ required: true }),
    deviceId: t.string({ description: 'Of a push token: a new token of the same device takes its place.' }),
    verified: t.boolean({ description: 'Whether it is known to be theirs. Absent: as it was.' }),
  }),
})

const added = z.object({ recipientId, contactPoint })
const named = z.object({ recipientId, reason: invalidReason.optional() })

builder.mutationFields((t) => {
  const place = {
    recipientId: t.arg.id({ required: true }),
    channel: t.arg({ type: ChannelEnum, required: true }),
    address: t.arg.string({ required: true }),
  }
  return {
    addContactPoint: t.field({
      type: Recipient,
      description:
        'Adds a contact point behind the others of its channel, or replaces the token of its device. One that was invalid is usable again.',
      args: {
        recipientId: t.arg.id({ required: true }),
        contactPoint: t.arg({ type: ContactPointInput, required: true }),
        first: t.arg.boolean({ defaultValue: false, description: 'Before the others of its channel.' }),
      },
      resolve: (_root, args, context) => {
        requireScope(context, 'manage')
        const judged = added.safeParse({ recipientId: args.recipientId, contactPoint: args.contactPoint })
        if (!judged.success) throw validationFault(faultsOf(judged.error, []))
        const { deviceId, verified, ...point } = judged.data.contactPoint
        const change = { change: 'add', deviceId, verified: verified === true, first: args.first === true } as const
        return makeChange(context, { recipientId: args.recipientId, ...point }, change)
      },
    }),
    verifyContactPoint: t.field({
      type: Recipient,
      description: 'The address is known to be theirs, and usable again if it was not.',
      args: place,
      resolve: (_root, args, context) => {
        requireScope(context, 'manage')
        return makeChange(context, args, { change: 'verify' })
      },
    }),
    invalidateContactPoint: t.field({
      type: Recipient,
      description: 'The address is not used any more, until it is added or verified again.',
      args: { ...place, reason: t.arg.string({ required: true, description: 'As you call it: `bounced`.' }) },
      resolve: (_root, args, context) => {
        requireScope(context, 'manage')
        const judged = named.safeParse({ recipientId: args.recipientId, reason: args.reason })
        if (!judged.success) throw validationFault(faultsOf(judged.error, []))
        return makeChange(context, args, { change: 'invalidate', reason: args.reason })
      },
    }),
    removeContactPoint: t.field({
      type: Recipient,
      args: place,
      resolve: (_root, args, context) => {
        requireScope(context, 'manage')
        return makeChange(context, args, { change: 'remove' })
      },
    }),
  }
})

interface Place {
  recipientId: string
  channel: Channel
  address: string
}

function makeChange(context: ApiContext, at: Place, change: ContactPointChange): Promise<RecipientRow> {
  const { tenantId } = context.principal
  return asCaller(context, async (trx) => {
    const done = await changeContactPoint(trx, tenantId, at, change, context.services.clock.now())
    const [recipient] = await findRecipients(trx, tenantId, [at.recipientId])
    if (!recipient) throw fault('NOT_FOUND', 'recipientId names no recipient', { path: ['recipientId'] })
    if (!done) throw fault('NOT_FOUND', 'address is no contact point of theirs', { path: ['address'] })
    if (recipient.contact_points.length > maxContactPoints) {
      const message = `the recipient has ${maxContactPoints} contact points already`
      throw fault('BAD_USER_INPUT', message, { path: ['contactPoint'] })
    }
    return recipient
  })
}
