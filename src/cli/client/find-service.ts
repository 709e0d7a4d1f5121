import { type Command, Option } from 'commander'
import { readConfig } from '../../config/config.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { type DevFile, readDevFile } from './dev-file.ts'

export interface ServiceOptions {
  url?: string
  apiKey?: string
}

/** The options of a command that talks to the running service. */
export function withServiceOptions(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'the service; by default that of dev.json').env('CARILLON_URL'))
    .addOption(new Option('--api-key <key>', 'the key to it; by default that of dev.json').env('CARILLON_API_KEY'))
}

/** Where the running service is and the key to it: the options, else what dev.json says. Throws CommandError. */
export async function findService(options: ServiceOptions): Promise<{ graphqlUrl: string; apiKey: string }> {
  const { CARILLON_DATA_DIR } = readConfig()
  const dev = await readDevFile(CARILLON_DATA_DIR)
  // An empty variable of the environment counts as not set.
  const url = options.url || undefined
  // A key is never sent to a service that it was not given for.
  const apiKey = options.apiKey || (url === undefined || isThatOf(dev, url) ? dev?.apiKey : undefined)
  const graphqlUrl = url ? graphqlUrlOf(url) : dev?.graphqlUrl
  if (graphqlUrl && apiKey) return { graphqlUrl, apiKey }
  throw new CommandError(
    'NO_SERVICE',
    graphqlUrl
      ? 'there is no API key: give --api-key or set CARILLON_API_KEY ("carillon keys create" makes one)'
      : `there is no service to talk to: run "carillon start", or give --url and --api-key (looked for ${CARILLON_DATA_DIR}/dev.json)`,
    exitCodes.config,
  )
}

const isThatOf = (dev: DevFile | undefined, url: string): boolean =>
  dev !== undefined && URL.parse(url)?.origin === new URL(dev.url).origin

function graphqlUrlOf(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new CommandError('BAD_URL', `${url} is not an http(s) URL`, exitCodes.config)
  }
  if (!parsed.pathname.endsWith('/graphql')) parsed.pathname = `${parsed.pathname.replace(/\/$/, '')}/graphql`
  return parsed.href
}
