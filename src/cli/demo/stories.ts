import { CommandError } from '../exit-codes.ts'
import { readTemplateFolders } from '../templates/load-samples.ts'

/** A story of the field: one notification that shows what the service is for. */
export interface Story {
  name: string
  sentence: string
  /** The input of sendNotification. */
  input: Record<string, unknown>
}

const told = [
  {
    name: 'document_approved',
    sentence: 'A document is approved; its owner gets mail and a chat message, and it is on record.',
    type: 'document.approved',
    recipient: 'alice',
    channels: ['EMAIL', 'SLACK', 'AUDIT'],
    priority: 'NORMAL',
  },
  {
    name: 'infrastructure-alert',
    sentence: 'A connection pool is exhausted; whoever is on call gets mail and a signed webhook, ahead of everything.',
    type: 'infrastructure.alert',
    recipient: 'on-call',
    channels: ['EMAIL', 'WEBHOOK'],
    priority: 'CRITICAL',
  },
  {
    name: 'order-shipped',
    sentence: 'An order leaves the house; the customer gets mail and an item in the inbox.',
    type: 'commerce.order.shipped',
    recipient: 'carol',
    channels: ['EMAIL', 'IN_APP'],
    priority: 'NORMAL',
  },
]

export const storyNames = told.map(({ name }) => name)

/** The stories, or one of them, with the example data of their templates. */
export async function readStories(name?: string): Promise<Story[]> {
  if (name !== undefined && !storyNames.includes(name)) {
    throw new CommandError('NO_SUCH_STORY', `there is no story ${name}: ${storyNames.join(', ')}`)
  }
  const templates = new Map((await readTemplateFolders()).map((template) => [template.name, template]))
  return told
    .filter((story) => name === undefined || story.name === name)
    .map((story) => ({
      name: story.name,
      sentence: story.sentence,
      input: {
        type: story.type,
        recipient: { id: story.recipient },
        channels: story.channels,
        priority: story.priority,
        template: story.name,
        data: templates.get(story.name)?.example ?? {},
      },
    }))
}
