import { parseArgs } from 'node:util'
import { type ScenarioName, scenarioNames, usualNames } from './scenarios.ts'

export interface BenchOptions {
  scenarios: readonly ScenarioName[]
  quick: boolean
  jsonFile?: string
  /** Notifications a second in the open-loop phases. */
  rate: number
  /** Length of one measured phase. */
  seconds: number
  /** How often each measurement is repeated; the figures are medians. */
  rounds: number
  /** Notifications in one request of an open-loop phase. */
  requestSize: number
  databaseUrl?: string
  kafka: boolean
  transport: 'direct' | 'graphql'
  /** What `pipeline` sends to: in-process, or a server behind HTTP. */
  provider: 'sink' | 'http'
}

const byNameAlone = scenarioNames.filter((name) => !usualNames.includes(name))

export const usage = `npm run bench -- [scenario …] [options]

Scenarios, in this order: ${scenarioNames.join(', ')}.
None named: all of them${byNameAlone.length > 0 ? `, but for ${byNameAlone.join(', ')}` : ''}.

  --quick              one round of short phases; the whole run takes less than three minutes
  --rate N             notifications a second in the open-loop phases (5000)
  --seconds N          length of one measured phase (3 with --quick, else 20)
  --rounds N           repetitions of each measurement (1 with --quick, else 3)
  --request-size N     notifications in one request of an open-loop phase (20)
  --database-url URL   a Postgres superuser or owner instead of the embedded one; databases are made there, and dropped
  --no-kafka           leaves the broker and the relay out, and says so
  --transport NAME     how the load reaches pipeline: graphql, or direct, which leaves GraphQL out (graphql)
  --provider NAME      what pipeline sends to: sink, in-process, or http (sink)
  --json FILE          also writes everything to FILE
  --help`

/** Reads the command line. Throws a TypeError or RangeError that says what is wrong with it. */
export function readOptions(argv: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      rate: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      'request-size': { type: 'string' },
      'database-url': { type: 'string' },
      kafka: { type: 'boolean', default: true },
      transport: { type: 'string', default: 'graphql' },
      provider: { type: 'string', default: 'sink' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { quick, transport, provider } = values
  if (transport !== 'direct' && transport !== 'graphql') throw new RangeError('--transport is direct or graphql')
  if (provider !== 'sink' && provider !== 'http') throw new RangeError('--provider is sink or http')
  return {
    scenarios: positionals.length === 0 ? usualNames : scenarioNames.filter((name) => named(positionals).has(name)),
    quick,
    jsonFile: values.json,
    rate: wholeNumber('--rate', values.rate, 5_000, 1_000_000),
    seconds: wholeNumber('--seconds', values.seconds, quick ? 3 : 20, 864_000),
    rounds: wholeNumber('--rounds', values.rounds, quick ? 1 : 3, 25),
    requestSize: wholeNumber('--request-size', values['request-size'], 20, 1_000),
    databaseUrl: values['database-url'],
    kafka: values.kafka,
    transport,
    provider,
  }
}

function named(positionals: readonly string[]): ReadonlySet<string> {
  const unknown = positionals.find((name) => !scenarioNames.some((known) => known === name))
  if (unknown !== undefined) throw new RangeError(`there is no scenario "${unknown}"`)
  return new Set(positionals)
}

function wholeNumber(name: string, text: string | undefined, standard: number, most: number): number {
  if (text === undefined) return standard
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new RangeError(`${name} is a number from 1 to ${most}`)
  return value
}
