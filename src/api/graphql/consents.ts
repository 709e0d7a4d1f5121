import { z } from 'zod'
import { dateTime, faultsOf, jsonObject, oneLine, orAbsent, text } from '../../pipeline/accept/validate-fields.ts'
import { addConsent, type ConsentRow, type ConsentWord, lastConsent, listConsents } from '../../store/consents.ts'
import { builder } from './builder.ts'
import { maxPageSize } from './connection.ts'
import { type ApiContext, asCaller, requireScope } from './context.ts'
import { fault, validationFault } from './errors.ts'
import { requireUserId } from './preference-rules.ts'

const maxProofBytes = 16_384

const Consent = builder.objectRef<ConsentRow>('Consent').implement({
  description: 'A word on a category. The last one holds; none is ever changed or deleted.',
  fields: (t) => ({
    category: t.exposeString('category'),
    granted: t.exposeBoolean('granted'),
    at: t.field({ type: 'DateTime', resolve: (consent) => consent.at }),
    source: t.exposeString('source', { description: 'Where it was said.' }),
    wordingVersion: t.exposeString('wording_version', { nullable: true }),
    proof: t.field({ type: 'JSON', nullable: true, resolve: (consent) => consent.proof }),
  }),
})

const ConsentInput = builder.inputType('ConsentInput', {
  fields: (t) => ({
    userId: t.id({ required: true }),
    category: t.string({ required: true }),
    source: t.string({ required: true, description: 'Where it was said, e.g. `signup form`.' }),
    wordingVersion: t.string({ description: 'Of the text that they agreed to.' }),
    proof: t.field({ type: 'JSON', description: `An object: what shows it. At most ${maxProofBytes} bytes.` }),
    at: t.field({
      type: 'DateTime',
      description: 'Of an opt-in that is told late. It never overrides what was said after it. Absent: now.',
    }),
  }),
})

const word = z.object({
  category: oneLine(200).refine((name) => name !== '', 'must not be empty'),
  source: text(1, 200),
  wordingVersion: orAbsent(text(1, 200)),
  proof: orAbsent(
    jsonObject.refine(
      (proof) => Buffer.byteLength(JSON.stringify(proof)) <= maxProofBytes,
      `must be at most ${maxProofBytes} bytes`,
    ),
  ),
  at: orAbsent(dateTime),
})

function judgeWord(input: typeof ConsentInput.$inferInput, granted: boolean, now: Date): ConsentWord {
  const recipientId = requireUserId(input.userId, ['input', 'userId'])
  const judged = word.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, ['input']))
  const { at } = judged.data
  if (at && !granted) throw validationFault([{ path: ['input', 'at'], message: 'a withdrawal holds from now on' }])
  if (at && at > now) throw validationFault([{ path: ['input', 'at'], message: 'must not be in the future' }])
  return { recipientId, granted, ...judged.data }
}

async function write(context: ApiContext, input: typeof ConsentInput.$inferInput, granted: boolean) {
  const now = context.services.clock.now()
  const said = judgeWord(input, granted, now)
  const { tenantId } = context.principal
  return asCaller(context, async (trx) => {
    await addConsent(trx, tenantId, said, now)
    return (await lastConsent(trx, tenantId, said.recipientId, said.category))!
  })
}

builder.mutationField('recordConsent', (t) =>
  t.field({
    type: Consent,
    description: 'Records an opt-in; answers with the word that holds.',
    args: { input: t.arg({ type: ConsentInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      return write(context, input, true)
    },
  }),
)

builder.mutationField('withdrawConsent', (t) =>
  t.field({
    type: Consent,
    description:
      'Takes an opt-in back: nothing more of the category is sent, but what is at a provider at this moment.',
    args: { input: t.arg({ type: ConsentInput, required: true }) },
    resolve: (_root, { input }, context) => {
      requireScope(context, 'manage')
      return write(context, input, false)
    },
  }),
)

builder.queryField('consents', (t) =>
  t.field({
    type: [Consent],
    description: 'What a user has said of categories, the last word first.',
    args: {
      userId: t.arg.id({ required: true }),
      category: t.arg.string(),
      first: t.arg.int({ defaultValue: 20, description: `At most ${maxPageSize}.` }),
    },
    resolve: (_root, { userId, category, first }, context) => {
      requireScope(context, 'manage')
      const size = first ?? 20
      if (size < 1 || size > maxPageSize) {
        throw fault('BAD_USER_INPUT', `first must be 1 to ${maxPageSize}`, { path: ['first'] })
      }
      const recipientId = requireUserId(userId)
      return asCaller(context, (trx) =>
        listConsents(trx, context.principal.tenantId, recipientId, category ?? undefined, size),
      )
    },
  }),
)
