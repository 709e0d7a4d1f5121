import { z } from 'zod'
import { parseBridgeTopic } from '../domain/bridge-topics.ts'
import { field, list, wholeNumber } from './field.ts'

/** Of the way in from Kafka; see schema.ts. */
export const bridgeFields = {
  BRIDGE_TOPICS: field({
    parse: list
      .pipe(
        z.array(
          z
            .string()
            .refine(
              (text) => parseBridgeTopic(text) !== undefined,
              'must be name=request or name=event, with @tenant or not',
            ),
        ),
      )
      .optional(),
    help: 'Topics that the bridge reads, with commas: `name=request` or `name=event`, `*` and `{domain}` in a name for any text, `@<tenant id>` behind it to pin it. Set, `carillon start` runs a bridge too. `carillon bridge` without it reads `system.notifications.requested=request,{domain}.events=event`, with KAFKA_TOPIC_PREFIX before each.',
  }),
  BRIDGE_GROUP: field({
    parse: z.string().min(1).max(200),
    default: 'carillon-bridge',
    help: 'The consumer group of the bridges; positions are kept in Postgres under its name.',
  }),
  BRIDGE_TENANT: field({
    parse: z.guid('must be a UUID').toLowerCase().optional(),
    help: 'Whom messages belong to that name no tenant.',
  }),
  BRIDGE_START: field<'earliest' | 'latest'>({
    parse: z.enum(['earliest', 'latest']),
    default: 'earliest',
    help: 'Where the bridge begins in a topic that its group has never read.',
  }),
  BRIDGE_CONCURRENCY: field({ parse: wholeNumber(1, 32), default: 3, help: 'Partitions whose messages land at once.' }),
}
