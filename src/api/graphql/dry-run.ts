import type { Tally } from '../../domain/dry-run/tally.ts'
import { type Queryable, readAsTenants } from '../../platform/db.ts'
import { type Draft, judgeDraft } from '../dry-run/draft.ts'
import { prepareReplay } from '../dry-run/prepare.ts'
import { type Progress as Result, replay } from '../dry-run/replay.ts'
import { builder } from './builder.ts'
import { type ApiContext, requireScope } from './context.ts'
import { fault } from './errors.ts'
import { RuleInput } from './rule-inputs.ts'
import { subscribed } from './subscribed.ts'

/** After so long the query gives what it has, with the place to go on from. */
const mostMs = 20_000
/** Of one tenant in this process: each keeps a processor busy. */
const mostAtOnce = 2

const DryRunInput = builder.inputType('DryRunInput', {
  description: 'A draft of a rule, of preference defaults, of limits, or of several of them. See docs/dry-run.md.',
  fields: (t) => ({
    rule: t.field({
      type: RuleInput,
      description:
        'Stands in for the rule of its name, or is one more; as if it had always been there, and on. Then the answer is about what this rule decides alone.',
    }),
    replaces: t.string({ description: 'The name of the rule that it stands in for; default: its own.' }),
    preferenceDefaults: t.field({
      type: 'JSON',
      description: 'As PreferencesInput (quietHours among it): merged into the defaults of then.',
    }),
    limits: t.field({
      type: 'JSON',
      description:
        'A list of limits as RateLimitInput: each stands in for the one of its name, or is one more; `{ name, remove: true }` takes one away.',
    }),
    since: t.field({ type: 'DateTime', required: true }),
    until: t.field({ type: 'DateTime', description: 'Default: now.' }),
    sample: t.int({ defaultValue: 20, description: 'How many examples of each, 0 to 100.' }),
    after: t.id({ description: 'Goes on behind a place: `continueAfter` of a result that is not complete.' }),
  }),
})

const ofTally =
  <Name extends keyof Tally>(name: Name) =>
  ({ tally }: Result): Tally[Name] =>
    tally[name]

const DryRunResult = builder.objectRef<Result>('DryRunResult').implement({
  description: 'What would have been decided. Nothing of it was written.',
  fields: (t) => ({
    events: t.int({ description: 'Looked at; without a rule, requests among them.', resolve: ofTally('events') }),
    matched: t.int({ description: 'Those that something was wanted of.', resolve: ofTally('matched') }),
    recipients: t.int({
      description: 'Decisions: each recipient of each event, once for each rule.',
      resolve: ofTally('recipients'),
    }),
    byVerdict: t.field({
      type: 'JSON',
      description: '`{ "sent": 80, "snoozed:quiet_hours": 12, "suppressed:opted_out": 3, "folded": 5, "expired": 1 }`',
      resolve: ofTally('byVerdict'),
    }),
    samples: t.field({
      type: 'JSON',
      description: 'Examples of each verdict, ids only.',
      resolve: ofTally('examples'),
    }),
    newlySent: t.field({
      type: ['JSON'],
      description: 'Examples of what was not let through, and would be: at once, later, or in a digest.',
      resolve: ofTally('newlySent'),
    }),
    newlySentCount: t.int({ resolve: ofTally('newlySentCount') }),
    noLongerSent: t.field({
      type: ['JSON'],
      description: 'Examples of what was let through, and would not be.',
      resolve: ofTally('noLongerSent'),
    }),
    noLongerSentCount: t.int({ resolve: ofTally('noLongerSentCount') }),
    faults: t.field({
      type: 'JSON',
      description: 'On how many events an expression failed: `{ "big orders: eventPattern: no_such_field": 3 }`',
      resolve: ofTally('faults'),
    }),
    complete: t.boolean({
      description: `false: the time was up (${mostMs / 1_000} seconds); dryRunProgress has no such bound.`,
      resolve: ({ isWhole }) => isWhole,
    }),
    continueAfter: t.id({
      nullable: true,
      description:
        'Where to go on: the `after` of another call. Its counts come on top of these, and its limits begin anew.',
      resolve: ({ isWhole, after }) => (isWhole ? null : after),
    }),
  }),
})

const DryRunProgress = builder.objectRef<Result>('DryRunProgress').implement({
  fields: (t) => ({
    share: t.float({ description: 'Of the period, from 0 to 1.', resolve: shareOf }),
    reachedAt: t.field({ type: 'DateTime', resolve: ({ reachedAt }) => reachedAt }),
    events: t.int({ resolve: ofTally('events') }),
    matched: t.int({ resolve: ofTally('matched') }),
    recipients: t.int({ resolve: ofTally('recipients') }),
    result: t.field({
      type: DryRunResult,
      nullable: true,
      description: 'With the last one.',
      resolve: (progress) => (progress.isWhole ? progress : null),
    }),
  }),
})

function shareOf({ draft: { since, until }, reachedAt, isWhole }: Result): number {
  if (isWhole) return 1
  const share = (reachedAt.getTime() - since.getTime()) / (until.getTime() - since.getTime())
  return Math.min(1, Math.max(0, share))
}

builder.queryField('dryRun', (t) =>
  t.field({
    type: DryRunResult,
    description:
      'What a draft would have done with the stored events of a period, by the clock and the preferences of then.',
    args: { input: t.arg({ type: DryRunInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      requireScope(context, 'manage')
      const draft = judgeDraft(input, context.services.clock.now())
      const leave = enter(context)
      try {
        const endsAt = performance.now() + mostMs
        let last: Result | undefined
        const check = () => {
          if (performance.now() > endsAt + mostMs) throw tooMany()
        }
        for await (last of await begin(context, draft, check)) if (performance.now() >= endsAt) break
        return last!
      } finally {
        leave()
      }
    },
  }),
)

builder.subscriptionField('dryRunProgress', (t) =>
  t.field({
    type: DryRunProgress,
    description: 'The same, however long it takes: how far it has come, again and again, and at last the result.',
    args: { input: t.arg({ type: DryRunInput, required: true }) },
    subscribe: (_root, { input }, context) => {
      requireScope(context, 'manage')
      const draft = judgeDraft(input, context.services.clock.now())
      return subscribed(context, (signal) => {
        signal.addEventListener('abort', enter(context), { once: true })
        return begin(context, draft, () => signal.throwIfAborted())
      })
    },
    resolve: (progress) => progress,
  }),
)

const underWay = new Map<string, number>()

/** Takes one of the tenant's places; gives the way to leave it. */
function enter({ principal: { tenantId } }: ApiContext): () => void {
  const others = underWay.get(tenantId) ?? 0
  if (others >= mostAtOnce) throw fault('RATE_LIMITED', `${mostAtOnce} dry runs are under way already`)
  underWay.set(tenantId, others + 1)
  return () => {
    const left = underWay.get(tenantId)! - 1
    if (left > 0) underWay.set(tenantId, left)
    else underWay.delete(tenantId)
  }
}

const tooMany = () =>
  fault('TOO_COMPLEX', 'its events have more recipients than a query has time for: subscribe to dryRunProgress')

async function begin(
  { principal, services }: ApiContext,
  draft: Draft,
  check: () => void,
): Promise<AsyncGenerator<Result>> {
  const { tenantId } = principal
  const { config, clock, ids, pool } = services
  const gates = { enabledChannels: config.CHANNEL_ENABLE_LIST, defaultChannels: config.CHANNEL_DEFAULT }
  const read = <T>(work: (trx: Queryable) => Promise<T>) => readAsTenants(pool, [tenantId], work)
  const prepared = await read((trx) => prepareReplay(trx, tenantId, draft, { gates, clock, ids, check }))
  return replay(prepared, read)
}
