import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the pipeline counts. Labels are closed sets: never a tenant, a recipient or an address. */
export interface Metrics {
  registry: Registry
  intents: Counter<'source' | 'status'>
  attempts: Counter<'channel' | 'provider' | 'outcome' | 'reason'>
  deliveries: Counter<'channel' | 'outcome' | 'reason'>
  attemptSeconds: Histogram<'channel' | 'provider'>
  deliverySeconds: Histogram<'channel'>
  jobs: Counter<'queue' | 'outcome'>
  relayedEvents: Counter
  relayFailures: Counter<'reason'>
  statusWebhookFailures: Counter<'reason'>
  ruleErrors: Counter<'reason'>
  bridgeMessages: Counter<'topic' | 'outcome'>
  bridgeLag: Gauge<'topic'>
  bridgeFailures: Counter<'reason'>
}

/** One registry a process; nothing is global, so tests and several apps in one process do not meet. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'carillon_' })
  const registers = [registry]
  return {
    registry,
    intents: new Counter({
      name: 'carillon_intents_total',
      help: 'Intents asked for, by source and answer.',
      labelNames: ['source', 'status'],
      registers,
    }),
    attempts: new Counter({
      name: 'carillon_delivery_attempts_total',
      help: 'Attempts at a provider, by what they told us.',
      labelNames: ['channel', 'provider', 'outcome', 'reason'],
      registers,
    }),
    deliveries: new Counter({
      name: 'carillon_deliveries_total',
      help: 'Steps of deliveries after an attempt: sent, retrying, failed, expired, queued (handed back).',
      labelNames: ['channel', 'outcome', 'reason'],
      registers,
    }),
    attemptSeconds: new Histogram({
      name: 'carillon_delivery_attempt_seconds',
      help: 'How long a provider took for one attempt.',
      labelNames: ['channel', 'provider'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30],
      registers,
    }),
    deliverySeconds: new Histogram({
      name: 'carillon_delivery_seconds',
      help: 'From acceptance to the settled first success, scheduled ones left out.',
      labelNames: ['channel'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800],
      registers,
    }),
    jobs: new Counter({
      name: 'carillon_jobs_total',
      help: 'Queue jobs worked, by queue and outcome.',
      labelNames: ['queue', 'outcome'],
      registers,
    }),
    relayedEvents: new Counter({
      name: 'carillon_relayed_events_total',
      help: 'Status events published to Kafka.',
      registers,
    }),
    relayFailures: new Counter({
      name: 'carillon_relay_failures_total',
      help: 'Batches that could not be published, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    statusWebhookFailures: new Counter({
      name: 'carillon_status_webhook_failures_total',
      help: 'Halts of the lane that turns status events into webhooks, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    ruleErrors: new Counter({
      name: 'carillon_rule_errors_total',
      help: 'Expressions of rules that failed on an event, by reason; the rule was left out for that event.',
      labelNames: ['reason'],
      registers,
    }),
    bridgeMessages: new Counter({
      name: 'carillon_bridge_messages_total',
      help: 'Messages of request topics, by what became of them: accepted, duplicate, lost to retention, or why they are parked.',
      labelNames: ['topic', 'outcome'],
      registers,
    }),
    bridgeLag: new Gauge({
      name: 'carillon_bridge_lag_messages',
      help: 'Messages of a request topic that have not landed.',
      labelNames: ['topic'],
      registers,
    }),
    bridgeFailures: new Counter({
      name: 'carillon_bridge_failures_total',
      help: 'Tries of the bridge that failed and are repeated, by reason.',
      labelNames: ['reason'],
      registers,
    }),
  }
}
