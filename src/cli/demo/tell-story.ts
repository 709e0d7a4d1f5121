import type { ApiClient, FollowedNotification } from '../client/api-client.ts'
import { followNotification } from '../client/follow-notification.ts'
import { fateTeller } from '../fate.ts'
import { shade, type Terminal } from '../terminal.ts'
import type { Story } from './stories.ts'

/** Sends a story through the service and tells its fate line by line; one that waits for a retry is left to itself. */
export async function tellStory(
  client: ApiClient,
  story: Story,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<FollowedNotification> {
  terminal.line(shade('bold', story.name))
  terminal.line(`  ${story.sentence}`)
  const tell = fateTeller((line) => terminal.line(line))
  const accepted = await client.send(story.input)
  const last = await followNotification(client, accepted, { signal, untilRetry: true, onChange: tell })
  terminal.document({ event: 'story', story: story.name, ...last })
  terminal.line()
  return last
}
