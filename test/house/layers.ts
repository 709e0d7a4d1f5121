/** The rules of the house, as a function from one source file to its offences. */

export interface SourceFile {
  /** From the root of the repository, with slashes: `src/store/intents.ts`. */
  path: string
  text: string
}

/** A room may import from rooms of a lower floor, and from itself. */
const floors: Record<string, number> = {
  domain: 0,
  config: 1,
  platform: 2,
  store: 3,
  queue: 3,
  channels: 4,
  pipeline: 5,
  maintenance: 6,
  workers: 6,
  api: 6,
  cli: 6,
}
const topFloor = 7 // app.ts and main.ts

/** Rooms of one floor that may use each other, with the reason. */
const neighbours = [
  ['store', 'queue'], // both are the database: migrate installs the queues
  ['queue', 'store'],
  ['workers', 'maintenance'], // the workers run the duties on time
  ['cli', 'maintenance'], // and a person may run one by hand
]

const networkModules = /^(undici|nodemailer|kafkajs|ws|node:(net|http|https|http2|tls|dgram))(\/|$)/
/** Servers, which listen and call nobody. */
const serverModules: [RegExp, RegExp][] = [[/^src\/(api|app\.ts)/, /^(ws|node:http|node:net)$/]]
/** SQL outside sql/ and store/, with the reason. */
const sqlExceptions = [
  /^src\/platform\/(db|embedded-postgres|leader-lock|wake)\.ts$/, // sessions, locks, listen and notify: no table
  /^src\/queue\//, // pg-boss's own schema
  /^src\/maintenance\/partitions\.ts$/, // DDL that is built for a date
]
const sqlLiteral =
  /[`'"]\s*(select\s+[\w*$(][^`]*?|insert\s+into\s|update\s+[\w."]+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*(not materialized|materialized)?\s*\()/i

/** Every offence of this file, each one a line that says which rule. */
export function offences({ path, text }: SourceFile): string[] {
  const found: string[] = []
  const offence = (rule: string) => found.push(`${path}: ${rule}`)
  const code = withoutComments(text)
  const imports = importsOf(code)

  if (path.startsWith('migrations/')) {
    for (const name of imports) if (!/^kysely(\/|$)/.test(name)) offence(`a migration imports only kysely, not ${name}`)
    return found
  }
  if (!path.startsWith('src/')) return found

  for (const name of imports) {
    if (name.startsWith('.')) checkImport(path, resolveFrom(path, name), offence)
    else if (networkModules.test(name) && !/^src\/(channels|platform)\//.test(path)) {
      const serves = serverModules.some(([where, what]) => where.test(path) && what.test(name))
      if (!serves) offence(`the network (${name}) is for channels/ and platform/`)
    }
  }
  if (/\bprocess\.env\b/.test(code) && !path.startsWith('src/config/')) offence('only config/ reads process.env')
  if (/\bDate\.now\(|\bnew Date\(\s*\)/.test(code) && path !== 'src/platform/clock.ts') offence('the clock is injected')
  if (/:\s*any\b|\bas any\b|<any>/.test(code)) offence('no any')
  if (/\bconsole\./.test(code) && !/^src\/(cli\/|main\.ts|app\.ts)/.test(path)) offence('only cli/, main and app print')
  if (text.split('\n').length > 301) offence(`${text.split('\n').length} lines are two ideas (limit 300)`)
  const sqlAllowed = path.startsWith('src/store/') || sqlExceptions.some((exception) => exception.test(path))
  if (!sqlAllowed && hasSql(code)) offence('SQL lives in sql/ and store/')
  return found
}

function checkImport(path: string, target: string, offence: (rule: string) => void) {
  if (!target.startsWith('src/')) {
    if (!target.endsWith('.json')) offence(`src/ imports nothing outside src/: ${target}`)
    return
  }
  const [from, to] = [roomOf(path), roomOf(target)]
  if (from === to) {
    const [ours, theirs] = [familyOf(path), familyOf(target)]
    if (from === 'pipeline' && ours !== theirs) offence(`a stage never imports another stage: ${target}`)
    if (from === 'channels' && ours && theirs && ours !== theirs) offence(`a family never imports a sibling: ${target}`)
    return
  }
  if (from && floors[from] === undefined) return offence(`${from}/ is not a room of the house`)
  const [ourFloor, theirFloor] = [from ? floors[from]! : topFloor, to ? (floors[to] ?? topFloor) : topFloor]
  const neighbour = neighbours.some(([a, b]) => a === from && b === to)
  if (theirFloor >= ourFloor && !neighbour && from) offence(`${from}/ may not import ${target}`)
}

/** `store` of `src/store/intents.ts`; undefined for `src/app.ts`. */
const roomOf = (path: string) => (path.split('/').length > 2 ? path.split('/')[1] : undefined)
const familyOf = (path: string) => (path.split('/').length > 3 ? path.split('/')[2] : undefined)

function importsOf(code: string): string[] {
  const pattern = /(?:^|[;\n])\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g
  return [...code.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? '')
}

const resolveFrom = (path: string, name: string) => new URL(name, `file:///${path}`).pathname.slice(1)

/** Line and block comments go; a `//` inside a string (a URL) stays. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;{}(),])\/\/.*$/gm, '$1')
}

/** A heuristic: a literal that begins as a statement does. Prose such as `select a channel` needs a `from` to count. */
function hasSql(code: string): boolean {
  const match = sqlLiteral.exec(code)
  if (!match) return false
  return !/^[`'"]\s*select\s/i.test(match[0]) || /[`'"]\s*select\s[^`'"]*(\sfrom\s|\(|\b1\b)/i.test(code)
}
