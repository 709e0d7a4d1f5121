import { Command } from 'commander'
import { type CommandContext, speaking } from './command-context.ts'
import { exitCodes } from './exit-codes.ts'
import { uuid } from './option-values.ts'
import type { PushOptions, TenantOption } from './rules/push-rules.ts'

/** Only when they are needed: YAML and CEL take longer to load than most commands take. */
const load = () => import('./rules/push-rules.ts')

const whose = 'whose they are; by default the demo tenant of a development service'
const where = 'a .yaml file, or a folder of them'

export function rulesCommand(context: CommandContext): Command {
  const pull = new Command('pull')
    .description(
      'Write the rules as YAML: a file each into a folder, or all into one .yaml file; "-" is standard output.',
    )
    .argument('[path]', where, 'rules')
    .option('--tenant <uuid>', whose, uuid)
  speaking<TenantOption, [string]>(pull, context, async (terminal, options, path) => {
    await (await load()).pullRules(terminal, options, path)
  })

  const push = new Command('push')
    .description('Make the rules what the files say, all of them or none, and show what changes.')
    .argument('[path]', where, 'rules')
    .option('--tenant <uuid>', whose, uuid)
    .option('--dry-run', 'only show what would change')
    .option('--prune', 'delete rules that no file has')
  speaking<PushOptions, [string]>(push, context, async (terminal, options, path) => {
    await (await load()).pushRules(terminal, options, path)
  })

  const diff = new Command('diff')
    .description('Show what a push would change.')
    .argument('[path]', where, 'rules')
    .option('--tenant <uuid>', whose, uuid)
    .option('--prune', 'as in push')
    .option('--check', 'end with 1 if anything would change')
  speaking<PushOptions & { check?: boolean }, [string]>(diff, context, async (terminal, options, path) => {
    const { isChange, pushRules } = await load()
    const changes = await pushRules(terminal, { ...options, dryRun: true }, path)
    if (options.check && changes.some(isChange)) context.exitWith(exitCodes.failed)
  })

  return new Command('rules')
    .description('When an event comes in, whom to notify, and how; as files. See docs/rules.md.')
    .addCommand(pull)
    .addCommand(push)
    .addCommand(diff)
}
