import { z } from 'zod'
import { CommandError } from '../exit-codes.ts'
import { answerSchema, refused, unreachable } from './api-client.ts'

const explanationSchema = z.object({
  summary: z.string(),
  outcome: z.string(),
  steps: z.array(
    z.object({
      stage: z.string(),
      gate: z.string(),
      channel: z.string().nullable(),
      verdict: z.string(),
      reason: z.string().nullable(),
      until: z.string().nullable(),
      inputs: z.record(z.string(), z.unknown()),
      versions: z.record(z.string(), z.unknown()).nullable(),
      at: z.string(),
    }),
  ),
})

export type ExplanationAnswer = z.output<typeof explanationSchema>

const query = `query Explain($notificationId: ID, $intentId: ID, $recipientId: String) {
  explain(notificationId: $notificationId, intentId: $intentId, recipientId: $recipientId) {
    summary outcome steps { stage gate channel verdict reason until inputs versions at }
  }
}`

/** Asks the running service why. Throws CommandError with the API's own code. */
export async function readExplanation(
  service: { graphqlUrl: string; apiKey: string },
  asked: { notificationId?: string; intentId?: string; recipientId?: string },
): Promise<ExplanationAnswer> {
  const response = await fetch(service.graphqlUrl, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${service.apiKey}`,
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    },
    body: JSON.stringify({ query, variables: asked }),
    signal: AbortSignal.timeout(30_000),
  }).catch((error: unknown) => {
    throw unreachable(service.graphqlUrl, error)
  })
  const answer = answerSchema.safeParse(await response.json().catch(() => undefined))
  const error = answer.data?.errors?.[0]
  if (error) throw refused(error.message, error.extensions?.code)
  const explanation = explanationSchema.safeParse(answer.data?.data?.explain)
  if (explanation.success) return explanation.data
  const message = `the service gave an answer that is not Carillon's (HTTP ${response.status})`
  throw new CommandError('UNEXPECTED_ANSWER', message)
}
