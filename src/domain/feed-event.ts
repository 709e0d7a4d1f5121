// Generated from schemas/*.avsc by `npm run schemas`.

/** The version of the schemas. */
export const feedSchemaVersion = 1

/** What every event of the feed says. */
export interface FeedEventHead {
  /** The event’s id, a UUIDv7: the same however often the event is delivered. */
  id: string
  /** What happened, e.g. notification.email.sent. The list is in docs/kafka.md, and grows. */
  event_type: string
  /** The version of the schemas that this was written with. */
  schema_version: number
  /** The tenant’s id, a UUID. */
  tenant_id: string
  /** Where it comes from: /carillon/<tenant id>. */
  source: string
  /** When it happened, ISO 8601 in UTC with milliseconds. */
  occurred_at: string
  /** The event’s place in the log: as text it sorts like the log, over all topics of one database. It has gaps. */
  sequence: string
  /** The request’s idempotency key; null where it had none. */
  idempotency_key: string | null
  /** The request’s correlation id; null where it had none. */
  correlation_id: string | null
  /** The trace id in traceparent, 32 hex digits; null where the request had none. */
  trace_id: string | null
  /** The request’s W3C trace context; null where it had none. */
  traceparent: string | null
  /** Whether the fields below were left out because the message was too long for a broker; the row in Postgres has them. */
  data_omitted: boolean
}

/** A delivery ended without success and waits for a person, or a person has sent it on its way again. */
export interface DeadLetterEvent extends FeedEventHead {
  /** The intent’s id, a UUIDv7. */
  intent_id: string
  /** The notification’s id, a UUIDv7. */
  notification_id: string
  /** The delivery’s id, a UUIDv7. */
  delivery_id: string
  /** The channel: email, sms, voice, push, browser_push, slack, telegram, discord, webhook, pagerduty, in_app, audit, and others to come. */
  channel: string
  /** Who it is for: the recipient’s id in your system, or one made from the address. Never an address. */
  recipient_id: string | null
  /** The type of the request, as whoever asked named it, e.g. order.shipped. */
  type: string | null
  /** The request’s category. */
  category: string | null
  /** Why: a short word of a list that grows. */
  reason: string | null
  /** Which attempt it was, from 1. */
  attempt: number | null
  /** The provider that was tried. */
  provider: string | null
  /** Whether the message may have gone out twice: an earlier attempt ended without a word. */
  possible_duplicate: boolean | null
  /** Who sent it on its way again: the name of the key or of the login. */
  by: string | null
  /** The data key that personal_data is encrypted with, a UUID: a row of carillon.subject_keys. Null unless FEED_PII=encrypted. */
  personal_key_id: string | null
  /** Address and content, encrypted for whoever has the person’s data key: see docs/kafka.md. Null unless FEED_PII=encrypted, and once the person was erased. */
  personal_data: string | null
}

/** What happened to a notification on one channel. */
export interface DeliveryEvent extends FeedEventHead {
  /** The intent’s id, a UUIDv7. */
  intent_id: string
  /** The notification’s id, a UUIDv7. */
  notification_id: string
  /** The delivery’s id, a UUIDv7. */
  delivery_id: string
  /** The channel: email, sms, voice, push, browser_push, slack, telegram, discord, webhook, pagerduty, in_app, audit, and others to come. */
  channel: string
  /** Who it is for: the recipient’s id in your system, or one made from the address. Never an address. */
  recipient_id: string | null
  /** The type of the request, as whoever asked named it, e.g. order.shipped. */
  type: string | null
  /** The request’s category. */
  category: string | null
  /** Why: a short word of a list that grows. */
  reason: string | null
  /** Which attempt it was, from 1. */
  attempt: number | null
  /** The provider that was tried. */
  provider: string | null
  /** Whether the message may have gone out twice: an earlier attempt ended without a word. */
  possible_duplicate: boolean | null
  /** Whether the channel is used because those before it have failed. */
  fallback: boolean | null
  /** Of a delivery that is tried again, or snoozed: when, ISO 8601 in UTC. */
  next_attempt_at: string | null
  /** Of opened and clicked: whether it was a machine (a scanner, a privacy proxy) rather than a person. */
  machine: boolean | null
  /** The data key that personal_data is encrypted with, a UUID: a row of carillon.subject_keys. Null unless FEED_PII=encrypted. */
  personal_key_id: string | null
  /** Address and content, encrypted for whoever has the person’s data key: see docs/kafka.md. Null unless FEED_PII=encrypted, and once the person was erased. */
  personal_data: string | null
}

/** What happened to an intent or to a notification as a whole. */
export interface NotificationEvent extends FeedEventHead {
  /** The intent’s id, a UUIDv7. */
  intent_id: string
  /** The notification’s id, a UUIDv7; null in the events of an intent as a whole. */
  notification_id: string | null
  /** Who it is for: the recipient’s id in your system, or one made from the address. Never an address. */
  recipient_id: string | null
  /** The type of the request, as whoever asked named it, e.g. order.shipped. */
  type: string | null
  /** The request’s category. */
  category: string | null
  /** Why: a short word of a list that grows. */
  reason: string | null
  /** direct, or event for a business event. */
  kind: string | null
  /** The way the request came in: graphql, sql, cli, kafka … */
  origin: string | null
  /** The business event’s id, as its source gave it. */
  event_id: string | null
  /** Of an enriched intent: how many recipients it was resolved to. */
  recipients: number | null
  /** Of an enriched intent: for how many of them there is something to deliver. */
  notifications: number | null
  /** Of an enriched intent: for how many of them a gate let nothing through. */
  stopped: number | null
  /** Of an enriched intent: whether it has more recipients than were planned at once; the numbers are those of the first page. */
  continues: boolean | null
  /** Of a closed digest: how many requests were folded into it. */
  folded: number | null
  /** Of an intent that could not be processed: the error’s code. */
  code: string | null
}

/** What happened to the service itself; also any event of a type that the relay does not know, because a newer process wrote it. */
export interface SystemEvent extends FeedEventHead {
  /** The id of what it happened to. */
  subject: string
  /** The channel that it is about. */
  channel: string | null
  /** The provider that it is about. */
  provider: string | null
  /** The template that it is about. */
  template: string | null
  /** Why: a short word of a list that grows. */
  reason: string | null
  /** What else there is to say of it; what is not text is JSON. */
  attributes: Record<string, string>
}

/** The records of the feed, by name. */
export interface FeedRecords {
  DeadLetterEvent: DeadLetterEvent
  DeliveryEvent: DeliveryEvent
  NotificationEvent: NotificationEvent
  SystemEvent: SystemEvent
}
