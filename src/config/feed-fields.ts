import { z } from 'zod'
import { defaultFeedTopics, type FeedKey, parseFeedTopics } from '../domain/feed-layout.ts'
import { field, flag, list, urlOf } from './field.ts'

/** How the outward feed is laid out and written; see schema.ts. */
export const feedFields = {
  FEED_TOPICS: field({
    parse: z.string().superRefine((text, context) => {
      try {
        parseFeedTopics(text)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
      }
    }),
    default: defaultFeedTopics,
    help: 'Which events go to which topic: `family=topic` with commas, or one topic for all; families `notification`, `delivery`, `dead_letter`, `system`; placeholders `{channel}` (of deliveries and dead letters), `{outcome}` and `{family}`.',
  }),
  FEED_KEY: field<FeedKey>({
    parse: z.enum(['notification', 'recipient', 'tenant']),
    default: 'notification',
    help: 'What messages are keyed by, and so what keeps its order: the notification, the recipient (`tenant id/recipient id`) or the tenant.',
  }),
  FEED_FORMAT: field<'json' | 'avro'>({
    parse: z.enum(['json', 'avro']),
    default: 'json',
    help: 'What the values of messages are: JSON, or Avro; with `SCHEMA_REGISTRY_URL` in Confluent’s wire format, else in Avro’s single-object encoding.',
  }),
  SCHEMA_REGISTRY_URL: field({
    parse: urlOf('http', 'https').optional(),
    secret: true,
    help: 'The schema registry that Avro messages name their schemas of: `https://user:password@host`.',
  }),
  SCHEMA_REGISTRY_USERNAME: field({ parse: z.string().optional(), help: 'User of the schema registry.' }),
  SCHEMA_REGISTRY_PASSWORD: field({
    parse: z.string().optional(),
    secret: true,
    help: 'Password, or API secret, of the schema registry.',
  }),
  SCHEMA_REGISTRY_AUTO_REGISTER: field({
    parse: flag,
    default: true,
    help: 'Whether the relay registers its schemas. If not, a person does (`schemas/*.avsc`), and the relay waits for it.',
  }),
  SCHEMA_REGISTRY_SUBJECTS: field<'topic' | 'record' | 'topic-record'>({
    parse: z.enum(['topic', 'record', 'topic-record']),
    default: 'topic',
    help: 'What a schema is registered under: `<topic>-value`, the record’s name, or both. A layout that brings several families together in one topic needs another than `topic`.',
  }),
  FEED_PII: field<'off' | 'encrypted'>({
    parse: z.enum(['off', 'encrypted']),
    default: 'off',
    help: 'Whether messages of deliveries hold addresses and content: `encrypted` under a data key for each person, which can be erased.',
  }),
  FEED_PII_KEYS: field({
    parse: list.pipe(
      z
        .array(
          z
            .string()
            .regex(/^[\w.-]{1,64}:[A-Za-z0-9+/]{43}=$/, 'must be name:key with commas, a key being 32 bytes in base64'),
        )
        .refine(
          (keys) => new Set(keys.map((key) => key.split(':')[0])).size === keys.length,
          'must name each key differently: data keys remember by name what they are wrapped with',
        ),
    ),
    default: [] as string[],
    secret: true,
    help: 'What data keys are wrapped with: `name:key` with commas, a key being 32 bytes in base64. The first one wraps; the others open what they have wrapped.',
  }),
}
