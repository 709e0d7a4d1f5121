import type { Config } from '../../config/config.ts'
import { type BridgeTopicRule, parseBridgeTopic } from '../../domain/bridge-topics.ts'
import type { Clock } from '../../platform/clock.ts'
import { createValueDecoder } from '../../platform/decode-value.ts'
import { maxHeaders } from '../../platform/kafka/fetch-decoder.ts'
import { createRegistrySchemas } from '../../platform/registry-schemas.ts'
import { configuredRegistry } from '../../platform/schema-registry.ts'
import type { JudgeSettings } from './judge-message.ts'

/** What the settings say of reading and accepting messages, for a bridge and for a replay. */
export function bridgeReading(
  config: Config,
  clock: Clock,
): { rules: BridgeTopicRule[]; judge: JudgeSettings; keyTtlMs: number; chunkSize: number } {
  const prefix = config.KAFKA_TOPIC_PREFIX
  const topics = config.BRIDGE_TOPICS ?? [
    `${prefix}system.notifications.requested=request`,
    `${prefix}{domain}.events=event`,
  ]
  const registry = configuredRegistry(config)
  return {
    rules: topics.map((text) => parseBridgeTopic(text)!), // judged with the settings
    judge: {
      decoder: createValueDecoder(registry && createRegistrySchemas({ registry, clock })),
      tenantId: config.BRIDGE_TENANT,
      maxBytes: config.API_MAX_BODY_BYTES,
      maxHeaders,
    },
    keyTtlMs: config.IDEMPOTENCY_KEY_TTL,
    chunkSize: Math.min(500, config.WORKER_CHUNK),
  }
}
