import { z } from 'zod'
import type { Config } from '../../config/config.ts'
import { isEventPattern } from '../../domain/event-patterns.ts'
import { faultsOf, text, webUrl } from '../../pipeline/accept/validate-fields.ts'
import { validationFault } from './errors.ts'

export const maxPatterns = 50

const patternList = z
  .array(z.string().refine(isEventPattern, 'is no type of status event, and no pattern of one'))
  .min(1, 'must not be empty')
  .max(maxPatterns, `must be at most ${maxPatterns}`)
  .transform((patterns) => [...new Set(patterns)])

const fields = z.object({
  url: webUrl.optional(),
  description: text(0, 500).nullish(),
  eventTypes: patternList.nullish(),
})

export type EndpointFields = z.output<typeof fields>

/** Judges what is said of an endpoint; throws a fault that names the fields. `path` is where they stand in the request. */
export function validateEndpoint(
  input: z.input<typeof fields>,
  config: Pick<Config, 'WEBHOOK_ALLOW_HTTP' | 'NODE_ENV'>,
  path: readonly string[] = [],
): EndpointFields {
  const judged = fields.safeParse(input)
  if (!judged.success) throw validationFault(faultsOf(judged.error, path))
  const { url } = judged.data
  if (url === undefined) return judged.data
  const { protocol, username, password } = new URL(url)
  const refuse = (message: string) => validationFault([{ path: [...path, 'url'], message }])
  if (username !== '' || password !== '') throw refuse('must not hold credentials')
  if (protocol === 'http:' && !config.WEBHOOK_ALLOW_HTTP && config.NODE_ENV === 'production')
    throw refuse('must be https')
  return judged.data
}
