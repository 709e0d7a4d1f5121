import { z } from 'zod'
import { CommandError } from '../exit-codes.ts'
import { answerSchema, refused, unreachable } from './api-client.ts'
import { readServerSentEvents } from './server-sent-events.ts'

const example = z.looseObject({
  intentId: z.string(),
  eventId: z.string().optional(),
  type: z.string(),
  at: z.string(),
  recipientId: z.string(),
  verdict: z.string(),
})
const resultSchema = z.object({
  events: z.number(),
  matched: z.number(),
  recipients: z.number(),
  byVerdict: z.record(z.string(), z.number()),
  samples: z.record(z.string(), z.array(example)),
  newlySent: z.array(example),
  newlySentCount: z.number(),
  noLongerSent: z.array(example),
  noLongerSentCount: z.number(),
  faults: z.record(z.string(), z.number()),
})
const progressSchema = z.object({
  share: z.number(),
  reachedAt: z.string(),
  events: z.number(),
  result: resultSchema.nullable(),
})

export type DryRunExample = z.output<typeof example>
export type DryRunAnswer = z.output<typeof resultSchema>
export type DryRunStep = z.output<typeof progressSchema>

const query = `subscription DryRun($input: DryRunInput!) {
  dryRunProgress(input: $input) {
    share reachedAt events
    result { ${Object.keys(resultSchema.shape).join(' ')} }
  }
}`

/** Has the running service do a dry run, and gives its result; `onStep` hears how far it has come. Throws CommandError. */
export async function followDryRun(
  service: { graphqlUrl: string; apiKey: string },
  input: object,
  onStep: (step: DryRunStep) => void,
): Promise<DryRunAnswer> {
  const response = await fetch(service.graphqlUrl, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${service.apiKey}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({ query, variables: { input } }),
  }).catch((error: unknown) => {
    throw unreachable(service.graphqlUrl, error)
  })
  if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
    stepIn(await response.json().catch(() => undefined), response.status)
    throw brokenOff()
  }
  for await (const { event, data } of readServerSentEvents(response.body)) {
    if (event !== 'next') continue
    const step = stepIn(JSON.parse(data), response.status)
    onStep(step)
    if (step.result) return step.result
  }
  throw brokenOff()
}

function stepIn(said: unknown, httpStatus: number): DryRunStep {
  const answer = answerSchema.safeParse(said)
  const error = answer.data?.errors?.[0]
  if (error) throw refused(error.message, error.extensions?.code)
  const step = progressSchema.safeParse(answer.data?.data?.dryRunProgress)
  if (step.success) return step.data
  throw new CommandError('UNEXPECTED_ANSWER', `the service gave an answer that is not Carillon's (HTTP ${httpStatus})`)
}

const brokenOff = () => new CommandError('UNEXPECTED_END', 'the service ended the dry run before its result: try again')
