import { Command } from 'commander'
import { createApiClient } from './client/api-client.ts'
import { findService, type ServiceOptions, withServiceOptions } from './client/find-service.ts'
import { isGoodEnd } from './client/follow-notification.ts'
import { type CommandContext, speaking } from './command-context.ts'
import { readStories, storyNames } from './demo/stories.ts'
import { tellStory } from './demo/tell-story.ts'
import { exitCodes } from './exit-codes.ts'

const patienceMs = 30_000

export function storiesCommand(context: CommandContext): Command {
  const command = new Command('stories')
    .description('Send the sample stories over a development service, and tell their fate line by line.')
    .argument('[name]', `one of ${storyNames.join(', ')}; by default all of them`)
  return speaking<ServiceOptions, [string | undefined]>(
    withServiceOptions(command),
    context,
    async (terminal, options, name) => {
      const stories = await readStories(name)
      const client = createApiClient(await findService(options))
      for (const story of stories) {
        const last = await tellStory(client, story, terminal, AbortSignal.timeout(patienceMs))
        if (!isGoodEnd(last)) context.exitWith(exitCodes.failed)
      }
    },
  )
}
