import { Command } from 'commander'
import { describeConfig, readConfig } from '../config/config.ts'
import { type FieldName, fields } from '../config/schema.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { columns, shade } from './terminal.ts'

export function configCommand(context: CommandContext): Command {
  const command = new Command('config')
    .description('Show every setting: what it is now, and what it means. Secrets are masked.')
    .option('--markdown', 'the manual, as docs/configuration.md has it: defaults instead of present values')
  return speaking<{ markdown?: boolean }, []>(command, context, async (terminal, { markdown }) => {
    if (markdown) {
      terminal.line(configManual())
      terminal.document({ markdown: configManual() })
      return
    }
    const settings = describeConfig(readConfig()).map((setting) => ({
      ...setting,
      value: inUnits(setting.name as FieldName, setting.value),
    }))
    terminal.document(settings)
    const rows = columns(
      settings.map(({ name, value, isDefault }) => [name, `${value || '-'}${isDefault ? '' : '  (set)'}`]),
    )
    for (const [index, { help }] of settings.entries()) {
      terminal.line(shade('bold', rows[index]!))
      terminal.line(shade('dim', `    ${help.replaceAll('`', '')}`))
    }
  })
}

/** docs/configuration.md. */
export function configManual(): string {
  const rows = describeConfig(readConfig({})).map(({ name, value, help }) => {
    const standard = inUnits(name as FieldName, value)
    return `| \`${name}\` | ${standard === '' ? '' : `\`${standard}\``} | ${help.replaceAll('|', '\\|')}${isSecret(name as FieldName) ? ' Secret.' : ''} |`
  })
  return `# Configuration

Carillon is configured by environment variables alone. They are read once, at the start; every fault is told at once, with
exit code 78. An empty variable counts as not set. \`carillon config\` shows the values in effect, secrets masked.

This page is written by \`npm run docs\`; do not edit it.

Durations are numbers with a unit: \`250ms\`, \`30s\`, \`5m\`, \`2h\`, \`1d\`. Lists have commas. Flags are \`true\` or \`false\`.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

Tools that talk to a running service (\`carillon send\`, \`carillon stories\`) also read \`CARILLON_URL\` and
\`CARILLON_API_KEY\`; without them they take what \`dev.json\` in \`CARILLON_DATA_DIR\` says. \`NO_COLOR\` turns colours off.
In development \`carillon start\` logs warnings and worse alone, unless \`LOG_LEVEL\` is set.`
}

function isSecret(name: FieldName): boolean {
  return 'secret' in fields[name]
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

/** Durations are kept in milliseconds; people read and write them with a unit. */
function inUnits(name: FieldName, value: string): string {
  if (!/^\d+(,\d+)*$/.test(value)) return value
  const { parse } = fields[name]
  const isDuration = !parse.safeParse(value).success && parse.safeParse(`${value.replaceAll(',', 'ms,')}ms`).success
  return isDuration ? value.split(',').map(withUnit).join(',') : value
}

function withUnit(text: string): string {
  const ms = Number(text)
  const [unit, size] = units.find(([, each]) => ms % each === 0)!
  return `${ms / size}${unit}`
}
