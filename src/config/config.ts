import { type ConfigValues, type FieldName, fields } from './schema.ts'

/** The validated settings, frozen: the only form in which the environment reaches the rest of the program. */
export type Config = Readonly<ConfigValues>

/** Raised with every fault at once. Exit code 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly faults: { name: string; message: string }[]
  constructor(faults: { name: string; message: string }[]) {
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault.name}: ${fault.message}`).join('\n')}`,
    )
    this.faults = faults
  }
}

/** Reads and validates the environment. An empty variable counts as not set. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const faults: { name: string; message: string }[] = []
  const values: Partial<Record<FieldName, unknown>> = {}
  for (const name of Object.keys(fields) as FieldName[]) {
    const spec = fields[name]
    const raw = env[name]
    if (raw === undefined || raw === '') {
      values[name] = 'default' in spec ? spec.default : undefined
      continue
    }
    const parsed = spec.parse.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else faults.push({ name, message: parsed.error.issues.map((issue) => issue.message).join('; ') })
  }
  if (
    values.NODE_ENV === 'production' &&
    values.DATABASE_URL === undefined &&
    !faults.some((fault) => fault.name === 'DATABASE_URL')
  ) {
    faults.push({ name: 'DATABASE_URL', message: 'is required when NODE_ENV=production' })
  }
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(values) as Config
}

/** One line a setting, secrets masked: what `carillon config` prints. */
export function describeConfig(config: Config): { name: string; value: string; isDefault: boolean; help: string }[] {
  return (Object.keys(fields) as FieldName[]).map((name) => {
    const spec = fields[name]
    const value = config[name]
    const standard = 'default' in spec ? spec.default : undefined
    const shown = value === undefined ? '' : Array.isArray(value) ? value.join(',') : String(value)
    return {
      name,
      value: 'secret' in spec && spec.secret && shown !== '' ? '********' : shown,
      isDefault: JSON.stringify(value) === JSON.stringify(standard),
      help: spec.help,
    }
  })
}
