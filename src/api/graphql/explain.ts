import { explain } from '../../domain/explain/explain.ts'
import { type Explanation, type ExplanationStep, explanationOutcomes } from '../../domain/explain/explanation.ts'
import { intentIdOf, isId, notificationIdOf } from '../../domain/ids.ts'
import { type AskedStory, loadStory } from '../explain/load-story.ts'
import { builder } from './builder.ts'
import { asCaller, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { ChannelEnum } from './scalars.ts'

const ExplanationStepType = builder.objectRef<ExplanationStep>('ExplanationStep').implement({
  fields: (t) => ({
    stage: t.exposeString('stage', { description: 'accept, match, enrich, permit, plan, send or settle.' }),
    gate: t.exposeString('gate', { description: 'Of permit: one of the gates; else what of the stage it is.' }),
    channel: t.field({
      type: ChannelEnum,
      nullable: true,
      description: 'Absent: of all.',
      resolve: (step) => step.channel,
    }),
    verdict: t.exposeString('verdict'),
    reason: t.exposeString('reason', { nullable: true, description: 'One of a closed set; see docs/explain.md.' }),
    until: t.field({ type: 'DateTime', nullable: true, resolve: (step) => step.until }),
    inputs: t.field({
      type: 'JSON',
      description: 'The values that were compared. No address, no content.',
      resolve: (step) => step.inputs,
    }),
    versions: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Versions of the rule, the template, the preferences and the settings that were used.',
      resolve: (step) => step.versions,
    }),
    at: t.field({ type: 'DateTime', resolve: (step) => step.at }),
  }),
})

const ExplanationType = builder.objectRef<Explanation>('Explanation').implement({
  fields: (t) => ({
    summary: t.exposeString('summary', { description: 'One sentence.' }),
    outcome: t.exposeString('outcome', { description: explanationOutcomes.join(', ') }),
    steps: t.field({
      type: [ExplanationStepType],
      description: 'Every rule, every gate, and all that happened, in the order of time.',
      resolve: ({ steps }) => steps,
    }),
  }),
})

builder.queryField('explain', (t) =>
  t.field({
    type: ExplanationType,
    description:
      'Why somebody was or was not notified: of a notification, or of a request or event and a recipient, who need not have got anything. Ids that nobody knows have the outcome "unknown".',
    args: { notificationId: t.arg.id(), intentId: t.arg.id(), recipientId: t.arg.string() },
    resolve: async (_root, args, context) => {
      requireScope(context, 'read')
      const asked = askedOf(args)
      const now = context.services.clock.now()
      const story = await asCaller(context, (trx) => loadStory(trx, context.principal.tenantId, asked, now))
      if (story) return explain(story)
      throw fault('BAD_USER_INPUT', 'recipientId is missing: the request has more than one notification', {
        path: ['recipientId'],
      })
    },
  }),
)

interface Args {
  notificationId?: string | null
  intentId?: string | null
  recipientId?: string | null
}

function askedOf({ notificationId, intentId, recipientId }: Args): AskedStory {
  const id = notificationId ?? intentId
  if (id == null) throw fault('BAD_USER_INPUT', 'notificationId or intentId is missing', { path: ['notificationId'] })
  const name = notificationId == null ? 'intentId' : 'notificationId'
  const known = id.toLowerCase()
  if (!isId(known)) throw fault('BAD_USER_INPUT', `${name} is not an id of ours`, { path: [name] })
  if (notificationId != null && intentId != null && intentIdOf(known) !== intentId.toLowerCase()) {
    throw fault('BAD_USER_INPUT', 'intentId is of another request than notificationId', { path: ['intentId'] })
  }
  const asked = { intentId: intentIdOf(known), recipientId: recipientId ?? undefined }
  // An intent's id and a notification's are told apart by themselves.
  if (known === asked.intentId) return asked
  if (name === 'intentId') throw fault('BAD_USER_INPUT', 'intentId is not the id of an intent', { path: ['intentId'] })
  return { intentId: asked.intentId, notificationId: notificationIdOf(known) }
}
