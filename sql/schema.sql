-- What the migrations make of an empty database. Written by: npm run schema

-- types
create type carillon.channel as enum ('email', 'sms', 'voice', 'push', 'browser_push', 'slack', 'telegram', 'discord', 'webhook', 'pagerduty', 'in_app', 'audit');
create type carillon.delivery_state as enum ('queued', 'held', 'sending', 'retrying', 'sent', 'delivered', 'failed', 'bounced', 'cancelled', 'suppressed', 'expired', 'snoozed');

-- tables
create table carillon.api_keys (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  secret_hash bytea not null,
  scopes text[] not null,
  created_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (tenant_id, id),
  constraint scopes_known CHECK ((scopes <@ ARRAY['send'::text, 'read'::text, 'manage'::text])),
  constraint secret_hash_is_sha256 CHECK ((octet_length(secret_hash) = 32))
) partition by HASH (tenant_id);
create table carillon.asked (
  tenant_id uuid not null,
  id uuid not null,
  xid xid8 not null default pg_current_xact_id(),
  priority smallint not null,
  start_after timestamp with time zone,
  constraint asked_pkey PRIMARY KEY (priority, xid, tenant_id, id)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=10000, autovacuum_vacuum_cost_delay=0, autovacuum_vacuum_insert_scale_factor=0, autovacuum_vacuum_insert_threshold=10000000);
create table carillon.audit_batches (
  tenant_id uuid not null,
  id uuid not null,
  at timestamp with time zone not null,
  size integer not null,
  first_id uuid not null,
  last_id uuid not null,
  lines json not null,
  constraint audit_batches_pkey PRIMARY KEY (tenant_id, id),
  constraint ids_in_order CHECK ((first_id <= last_id)),
  constraint size_positive CHECK ((size > 0))
) partition by RANGE (id);
create table carillon.bridge_offsets (
  cluster_id text not null,
  group_id text not null,
  topic text not null,
  partition integer not null,
  next_offset bigint not null,
  resets integer not null default 0,
  updated_at timestamp with time zone not null,
  constraint bridge_offsets_pkey PRIMARY KEY (cluster_id, group_id, topic, partition),
  constraint next_offset_not_negative CHECK ((next_offset >= 0))
) with (fillfactor=50);
create table carillon.categories (
  tenant_id uuid not null,
  name text not null,
  description text,
  required boolean not null,
  marketing boolean not null,
  enabled boolean not null,
  channels text[],
  min_priority smallint,
  frequency text not null,
  digest jsonb,
  send_window jsonb,
  on_excess text not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint categories_pkey PRIMARY KEY (tenant_id, name),
  constraint channels_not_empty CHECK ((cardinality(channels) > 0)),
  constraint frequency_known CHECK ((frequency = ANY (ARRAY['instant'::text, 'digest'::text, 'hourly'::text, 'daily'::text, 'weekly'::text]))),
  constraint min_priority_known CHECK (((min_priority >= 0) AND (min_priority <= 3))),
  constraint name_not_empty CHECK ((name <> ''::text)),
  constraint on_excess_known CHECK ((on_excess = ANY (ARRAY['snooze'::text, 'suppress'::text]))),
  constraint required_is_enabled CHECK ((enabled OR (NOT required))),
  constraint required_is_no_marketing CHECK ((NOT (required AND marketing)))
) partition by HASH (tenant_id);
create table carillon.consents (
  tenant_id uuid not null,
  recipient_id text not null,
  category text not null,
  at timestamp with time zone not null,
  granted boolean not null,
  source text not null,
  wording_version text,
  proof jsonb,
  constraint consents_pkey PRIMARY KEY (tenant_id, recipient_id, category, at),
  constraint category_not_empty CHECK ((category <> ''::text)),
  constraint recipient_not_empty CHECK ((recipient_id <> ''::text)),
  constraint source_not_empty CHECK ((source <> ''::text))
) partition by HASH (tenant_id);
create table carillon.contact_points (
  tenant_id uuid not null,
  recipient_id text not null,
  channel carillon.channel not null,
  address text not null,
  "position" smallint not null default 0,
  verified_at timestamp with time zone,
  invalid_at timestamp with time zone,
  invalid_reason text,
  created_at timestamp with time zone not null,
  device_id text,
  constraint contact_points_pkey PRIMARY KEY (tenant_id, recipient_id, channel, address),
  constraint address_not_empty CHECK ((address <> ''::text)),
  constraint invalid_reason_iff_invalid CHECK (((invalid_at IS NULL) = (invalid_reason IS NULL)))
) partition by HASH (tenant_id);
create table carillon.dead_letters (
  tenant_id uuid not null,
  delivery_id uuid not null,
  channel carillon.channel not null,
  reason text not null,
  attempts smallint not null,
  state text not null default 'open'::text,
  created_at timestamp with time zone not null,
  resolved_at timestamp with time zone,
  resolved_by text,
  constraint dead_letters_pkey PRIMARY KEY (tenant_id, delivery_id),
  constraint resolved_at_iff_resolved CHECK (((state = 'open'::text) = (resolved_at IS NULL))),
  constraint state_known CHECK ((state = ANY (ARRAY['open'::text, 'replayed'::text, 'discarded'::text])))
);
create table carillon.decision_batches (
  tenant_id uuid not null,
  id uuid not null,
  at timestamp with time zone not null,
  size integer not null,
  first_id uuid not null,
  last_id uuid not null,
  lines json not null,
  constraint decision_batches_pkey PRIMARY KEY (tenant_id, id),
  constraint ids_in_order CHECK ((first_id <= last_id)),
  constraint size_positive CHECK ((size > 0))
) partition by RANGE (id);
create table carillon.deliveries (
  tenant_id uuid not null,
  id uuid not null,
  channel carillon.channel not null,
  state carillon.delivery_state not null,
  attempt smallint not null default 0,
  fallback_rank smallint not null default 0,
  priority smallint not null,
  address text not null,
  reason text,
  next_attempt_at timestamp with time zone,
  sent_at timestamp with time zone,
  delivered_at timestamp with time zone,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  in_intents_job boolean,
  constraint deliveries_pkey PRIMARY KEY (tenant_id, id),
  constraint held_iff_fallback CHECK (((state <> 'held'::carillon.delivery_state) OR (fallback_rank > 0))),
  constraint next_attempt_at_iff_retrying CHECK (((state = 'retrying'::carillon.delivery_state) = (next_attempt_at IS NOT NULL))),
  constraint sent_at_iff_sent CHECK (((state <> ALL (ARRAY['sent'::carillon.delivery_state, 'delivered'::carillon.delivery_state])) OR (sent_at IS NOT NULL)))
) partition by RANGE (id);
create table carillon.delivery_attempts (
  tenant_id uuid not null,
  delivery_id uuid not null,
  attempt smallint not null,
  channel carillon.channel not null,
  provider text not null,
  outcome text not null,
  reason text,
  detail text,
  provider_message_id text,
  possible_duplicate boolean not null,
  started_at timestamp with time zone not null,
  completed_at timestamp with time zone,
  constraint delivery_attempts_pkey PRIMARY KEY (tenant_id, delivery_id, attempt),
  constraint outcome_known CHECK ((outcome = ANY (ARRAY['accepted'::text, 'rejected'::text, 'unknown'::text, 'delivered'::text, 'bounced'::text]))),
  constraint reason_iff_not_accepted CHECK (((reason IS NULL) = (outcome = ANY (ARRAY['accepted'::text, 'delivered'::text]))))
) partition by RANGE (delivery_id);
create table carillon.digest_members (
  tenant_id uuid not null,
  digest_id uuid not null,
  event_ref text not null,
  notification_ids uuid[] not null,
  item jsonb not null,
  said jsonb not null,
  at timestamp with time zone not null,
  resolved boolean not null default false,
  flushed_at timestamp with time zone,
  constraint digest_members_pkey PRIMARY KEY (tenant_id, digest_id, event_ref)
) with (fillfactor=90, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
create table carillon.digests (
  tenant_id uuid not null,
  id uuid not null,
  recipient_id text not null,
  recipient jsonb not null,
  key text not null,
  kind text not null,
  state text not null default 'open'::text,
  policy jsonb not null,
  timezone text,
  opened_at timestamp with time zone not null,
  closes_at timestamp with time zone not null,
  longest_at timestamp with time zone,
  size integer not null,
  count integer not null,
  retime boolean not null default false,
  flushed_at timestamp with time zone,
  close_reason text,
  closed_at timestamp with time zone,
  folded integer,
  intent_id uuid,
  constraint digests_pkey PRIMARY KEY (tenant_id, id),
  constraint closed_at_iff_closed CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
  constraint kind_known CHECK ((kind = ANY (ARRAY['digest'::text, 'group'::text]))),
  constraint reason_where_closed CHECK (((state <> 'closed'::text) OR (close_reason IS NOT NULL))),
  constraint state_known CHECK ((state = ANY (ARRAY['open'::text, 'full'::text, 'closed'::text])))
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
create table carillon.feed_cursors (
  lane text not null,
  system_identifier text not null,
  xid xid8 not null,
  id uuid not null,
  enabled boolean not null,
  updated_at timestamp with time zone not null,
  constraint feed_cursors_pkey PRIMARY KEY (lane)
);
create table carillon.idempotency_keys (
  tenant_id uuid not null,
  key text not null,
  bucket date not null,
  payload_hash bytea not null,
  intent_id uuid not null,
  created_at timestamp with time zone not null,
  constraint idempotency_keys_pkey PRIMARY KEY (tenant_id, key, bucket),
  constraint key_length CHECK (((length(key) >= 1) AND (length(key) <= 255)))
) partition by RANGE (bucket);
create table carillon.inbox_counters (
  tenant_id uuid not null,
  recipient_id text not null,
  unread integer not null,
  unseen integer not null,
  constraint inbox_counters_pkey PRIMARY KEY (tenant_id, recipient_id),
  constraint counts_not_negative CHECK (((unread >= 0) AND (unseen >= 0)))
) partition by HASH (tenant_id);
create table carillon.inbox_items (
  tenant_id uuid not null,
  recipient_id text not null,
  id uuid not null,
  xid xid8 not null default pg_current_xact_id(),
  type text not null,
  title text not null,
  body text,
  body_html text,
  data jsonb not null,
  created_at timestamp with time zone not null,
  seen_at timestamp with time zone,
  read_at timestamp with time zone,
  archived_at timestamp with time zone,
  constraint inbox_items_pkey PRIMARY KEY (tenant_id, recipient_id, id)
) partition by RANGE (id);
create table carillon.inhibitions (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  source text not null,
  target text not null,
  equal text[] not null,
  resolved text,
  alert text,
  open_for_ms bigint,
  enabled boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint inhibitions_name UNIQUE (tenant_id, name),
  constraint inhibitions_pkey PRIMARY KEY (tenant_id, id),
  constraint open_for_positive CHECK ((open_for_ms > 0))
) partition by HASH (tenant_id);
create table carillon.intents (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  type text not null,
  priority smallint not null,
  category text,
  idempotency_key text,
  event_id text,
  correlation_id text,
  traceparent text,
  source text not null,
  scheduled_at timestamp with time zone,
  expires_at timestamp with time zone,
  accepted_at timestamp with time zone not null,
  recipients integer not null,
  payload jsonb not null,
  outcome text,
  constraint intents_pkey PRIMARY KEY (tenant_id, id),
  constraint expires_after_scheduled CHECK ((expires_at > scheduled_at)),
  constraint kind_known CHECK ((kind = ANY (ARRAY['direct'::text, 'event'::text]))),
  constraint outcome_known CHECK ((outcome = ANY (ARRAY['unmatched'::text, 'no_recipients'::text, 'failed'::text, 'cancelled'::text]))),
  constraint priority_known CHECK (((priority >= 0) AND (priority <= 3))),
  constraint source_known CHECK ((source = ANY (ARRAY['graphql'::text, 'sql'::text, 'cli'::text, 'system'::text, 'kafka'::text]))) NOT VALID
) partition by RANGE (id);
create table carillon.limit_counters (
  tenant_id uuid not null,
  subject text not null,
  counts text not null,
  idle_at timestamp with time zone not null,
  constraint limit_counters_pkey PRIMARY KEY (tenant_id, subject)
) partition by HASH (tenant_id);
create table carillon.limits (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  scope text not null,
  category text,
  channel carillon.channel,
  max integer not null,
  window_seconds integer,
  calendar text,
  on_excess text,
  allow_critical boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint limits_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint limits_pkey PRIMARY KEY (tenant_id, id),
  constraint calendar_known CHECK ((calendar = ANY (ARRAY['day'::text, 'month'::text]))),
  constraint max_positive CHECK ((max > 0)),
  constraint name_not_empty CHECK ((name <> ''::text)),
  constraint on_excess_known CHECK ((on_excess = ANY (ARRAY['snooze'::text, 'suppress'::text]))),
  constraint scope_known CHECK ((scope = ANY (ARRAY['user'::text, 'tenant'::text]))),
  constraint window_or_calendar CHECK ((num_nonnulls(window_seconds, calendar) = 1)),
  constraint window_positive CHECK ((window_seconds > 0))
) partition by HASH (tenant_id);
create table carillon.members (
  tenant_id uuid not null,
  kind text not null,
  name text not null,
  recipient_id text not null,
  constraint members_pkey PRIMARY KEY (tenant_id, kind, name, recipient_id),
  constraint kind_known CHECK ((kind = ANY (ARRAY['role'::text, 'group'::text])))
) partition by HASH (tenant_id);
create table carillon.notifications (
  tenant_id uuid not null,
  id uuid not null,
  recipient_type text not null,
  recipient_id text not null,
  recipient_name text,
  locale text,
  timezone text,
  type text not null,
  category text,
  priority smallint not null,
  channels text[] not null,
  has_fallback boolean not null,
  template text,
  event_id text,
  correlation_id text,
  traceparent text,
  scheduled_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  created_at timestamp with time zone not null,
  outcome carillon.delivery_state,
  reason text,
  rule_id uuid,
  rule_version integer,
  vars jsonb,
  digest_id uuid,
  constraint notifications_pkey PRIMARY KEY (tenant_id, id),
  constraint outcome_only_without_deliveries CHECK ((outcome = ANY (ARRAY['sent'::carillon.delivery_state, 'failed'::carillon.delivery_state, 'cancelled'::carillon.delivery_state, 'suppressed'::carillon.delivery_state, 'expired'::carillon.delivery_state]))),
  constraint recipient_type_known CHECK ((recipient_type = ANY (ARRAY['user'::text, 'role'::text, 'group'::text, 'system'::text])))
) partition by RANGE (id);
create table carillon.open_alerts (
  tenant_id uuid not null,
  inhibition_id uuid not null,
  key text not null,
  alert text not null,
  opened_by uuid,
  fired_by uuid,
  closed_by uuid,
  event_id text,
  opened_at timestamp with time zone,
  expires_at timestamp with time zone,
  noted_at timestamp with time zone not null,
  constraint open_alerts_pkey PRIMARY KEY (tenant_id, inhibition_id, key, alert),
  constraint fired_or_closed CHECK ((num_nonnulls(fired_by, closed_by) > 0)),
  constraint opened_iff_fired CHECK ((num_nulls(opened_by, fired_by, opened_at) = ANY (ARRAY[0, 3])))
) partition by HASH (tenant_id);
create table carillon.parked_messages (
  id uuid not null,
  cluster_id text not null,
  group_id text not null,
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  resets integer not null,
  message_at timestamp with time zone,
  key bytea,
  headers jsonb not null,
  value bytea,
  reason text not null,
  detail text not null,
  parked_at timestamp with time zone not null,
  replayed_at timestamp with time zone,
  intent_id uuid,
  constraint parked_once UNIQUE (cluster_id, group_id, topic, partition, resets, "offset"),
  constraint parked_messages_pkey PRIMARY KEY (id),
  constraint intent_iff_replayed CHECK (((intent_id IS NULL) = (replayed_at IS NULL))),
  constraint reason_known CHECK ((reason = ANY (ARRAY['undecodable'::text, 'unknown_schema'::text, 'invalid'::text, 'unknown_tenant'::text, 'too_large'::text, 'conflict'::text, 'refused'::text])))
);
create table carillon.partitioned_tables (
  name text not null,
  bound text not null,
  retention_days integer not null,
  constraint partitioned_tables_pkey PRIMARY KEY (name),
  constraint bound_known CHECK ((bound = ANY (ARRAY['id'::text, 'date'::text]))),
  constraint retention_positive CHECK ((retention_days > 0))
);
create table carillon.preference_versions (
  tenant_id uuid not null,
  recipient_id text not null,
  version integer not null,
  document jsonb not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  changed_by text not null,
  constraint preference_versions_pkey PRIMARY KEY (tenant_id, recipient_id, version),
  constraint valid_to_after_from CHECK ((valid_to >= valid_from))
) partition by HASH (tenant_id);
create table carillon.preferences (
  tenant_id uuid not null,
  recipient_id text not null,
  version integer not null,
  document jsonb not null,
  updated_at timestamp with time zone not null,
  updated_by text not null,
  constraint preferences_pkey PRIMARY KEY (tenant_id, recipient_id),
  constraint document_is_object CHECK ((jsonb_typeof(document) = 'object'::text)),
  constraint version_positive CHECK ((version > 0))
) partition by HASH (tenant_id);
create table carillon.recipients (
  tenant_id uuid not null,
  external_id text not null,
  name text,
  locale text,
  timezone text,
  roles text[] not null default '{}'::text[],
  groups text[] not null default '{}'::text[],
  attributes jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  enabled boolean not null default true,
  constraint recipients_pkey PRIMARY KEY (tenant_id, external_id),
  constraint external_id_not_empty CHECK ((external_id <> ''::text))
) partition by HASH (tenant_id);
create table carillon.role_bindings (
  tenant_id uuid not null,
  role_name name not null,
  created_at timestamp with time zone not null,
  constraint role_bindings_pkey PRIMARY KEY (tenant_id, role_name)
);
create table carillon.rule_faults (
  tenant_id uuid not null,
  rule_id uuid not null,
  streak integer not null,
  total bigint not null,
  last_at timestamp with time zone not null,
  last_code text not null,
  last_part text not null,
  last_message text not null,
  last_intent_id uuid not null,
  constraint rule_faults_pkey PRIMARY KEY (tenant_id, rule_id),
  constraint streak_not_negative CHECK ((streak >= 0))
) partition by HASH (tenant_id);
create table carillon.rule_versions (
  tenant_id uuid not null,
  rule_id uuid not null,
  version integer not null,
  name text not null,
  definition jsonb not null,
  enabled boolean not null,
  valid_from timestamp with time zone not null,
  valid_to timestamp with time zone,
  changed_by text not null,
  constraint rule_versions_pkey PRIMARY KEY (tenant_id, rule_id, version),
  constraint valid_in_order CHECK ((valid_to >= valid_from))
) partition by HASH (tenant_id);
create table carillon.rules (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  version integer not null default 1,
  definition jsonb not null,
  enabled boolean not null,
  disabled_reason text,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  updated_by text not null,
  constraint rules_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint rules_pkey PRIMARY KEY (tenant_id, id),
  constraint definition_is_object CHECK ((jsonb_typeof(definition) = 'object'::text)),
  constraint disabled_reason_iff_disabled CHECK ((enabled = (disabled_reason IS NULL))),
  constraint disabled_reason_known CHECK ((disabled_reason = ANY (ARRAY['switched_off'::text, 'failing'::text]))),
  constraint name_not_empty CHECK ((name <> ''::text)),
  constraint version_positive CHECK ((version > 0))
) partition by HASH (tenant_id);
create table carillon.schedules (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  kind text not null,
  request jsonb not null,
  recurrence jsonb not null,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone,
  expires_after_ms bigint,
  enabled boolean not null,
  next_at timestamp with time zone,
  last_occurrence timestamp with time zone,
  last_run_at timestamp with time zone,
  last_intent_id uuid,
  last_error text,
  runs integer not null default 0,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint schedules_name UNIQUE (tenant_id, name),
  constraint schedules_pkey PRIMARY KEY (tenant_id, id),
  constraint ends_after_it_starts CHECK ((ends_at > starts_at)),
  constraint expires_after_positive CHECK ((expires_after_ms > 0)),
  constraint kind_known CHECK ((kind = ANY (ARRAY['direct'::text, 'event'::text])))
) partition by HASH (tenant_id);
create table carillon.settings_versions (
  tenant_id uuid not null,
  version bigint not null,
  constraint settings_versions_pkey PRIMARY KEY (tenant_id)
) with (fillfactor=50);
create table carillon.signing_keys (
  purpose text not null,
  id smallint not null,
  key bytea not null,
  constraint signing_keys_pkey PRIMARY KEY (purpose, id),
  constraint key_is_256_bits CHECK ((octet_length(key) = 32))
);
create table carillon.silences (
  tenant_id uuid not null,
  id uuid not null,
  matcher text not null,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone,
  recurrence jsonb,
  duration_ms bigint,
  author text not null,
  comment text not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint silences_pkey PRIMARY KEY (tenant_id, id),
  constraint duration_iff_recurrence CHECK (((recurrence IS NULL) = (duration_ms IS NULL))),
  constraint duration_positive CHECK ((duration_ms > 0)),
  constraint ends_after_it_starts CHECK ((ends_at >= starts_at)),
  constraint ends_or_comes_again CHECK (((ends_at IS NOT NULL) OR (recurrence IS NOT NULL)))
) partition by HASH (tenant_id);
create table carillon.snoozes (
  tenant_id uuid not null,
  delivery_id uuid not null,
  recipient_id text not null,
  channel carillon.channel not null,
  priority smallint not null,
  reason text not null,
  until timestamp with time zone not null,
  since timestamp with time zone not null,
  constraint snoozes_pkey PRIMARY KEY (tenant_id, delivery_id)
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
create table carillon.status_log (
  tenant_id uuid not null,
  id uuid not null,
  xid xid8 not null default pg_current_xact_id(),
  at timestamp with time zone not null,
  size integer not null,
  first_subject uuid not null,
  last_subject uuid not null,
  events json not null,
  constraint status_log_pkey PRIMARY KEY (tenant_id, id),
  constraint size_positive CHECK ((size > 0)),
  constraint subjects_in_order CHECK ((first_subject <= last_subject))
) partition by RANGE (id);
create table carillon.subject_keys (
  tenant_id uuid not null,
  recipient_id text not null,
  key_id uuid,
  wrapped_key bytea,
  wrapped_by text,
  created_at timestamp with time zone not null,
  erased_at timestamp with time zone,
  constraint subject_keys_pkey PRIMARY KEY (tenant_id, recipient_id),
  constraint erased_if_no_key CHECK (((key_id IS NOT NULL) OR (erased_at IS NOT NULL))),
  constraint key_whole_or_erased CHECK ((num_nulls(key_id, wrapped_key, wrapped_by) = ANY (ARRAY[0, 3])))
) partition by HASH (tenant_id);
create table carillon.suppressions (
  tenant_id uuid not null,
  channel carillon.channel not null,
  address text not null,
  reason text not null,
  source text not null,
  note text,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  constraint suppressions_pkey PRIMARY KEY (tenant_id, channel, address),
  constraint address_not_empty CHECK ((address <> ''::text)),
  constraint expires_after_created CHECK ((expires_at > created_at)),
  constraint reason_known CHECK ((reason = ANY (ARRAY['hard_bounce'::text, 'complaint'::text, 'manual'::text]))),
  constraint source_not_empty CHECK ((source <> ''::text))
) partition by HASH (tenant_id);
create table carillon.system_limits (
  id uuid not null,
  tenant_id uuid,
  name text not null,
  scope text not null,
  category text,
  channel carillon.channel,
  max integer not null,
  window_seconds integer,
  calendar text,
  on_excess text,
  allow_critical boolean not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint name_unique UNIQUE (name),
  constraint system_limits_pkey PRIMARY KEY (id),
  constraint calendar_known CHECK ((calendar = ANY (ARRAY['day'::text, 'month'::text]))),
  constraint max_positive CHECK ((max > 0)),
  constraint name_not_empty CHECK ((name <> ''::text)),
  constraint on_excess_known CHECK ((on_excess = ANY (ARRAY['snooze'::text, 'suppress'::text]))),
  constraint scope_known CHECK ((scope = ANY (ARRAY['user'::text, 'tenant'::text, 'system'::text]))),
  constraint system_is_every_tenant CHECK (((scope <> 'system'::text) OR (tenant_id IS NULL))),
  constraint window_or_calendar CHECK ((num_nonnulls(window_seconds, calendar) = 1)),
  constraint window_positive CHECK ((window_seconds > 0))
);
create table carillon.templates (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  description text,
  version text not null,
  channels jsonb not null,
  translations jsonb,
  variables jsonb,
  tags text[] not null default '{}'::text[],
  enabled boolean not null default true,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  constraint templates_name UNIQUE (tenant_id, name),
  constraint templates_pkey PRIMARY KEY (tenant_id, id),
  constraint channels_is_object CHECK ((jsonb_typeof(channels) = 'object'::text))
) partition by HASH (tenant_id);
create table carillon.tenants (
  id uuid not null,
  name text not null,
  created_at timestamp with time zone not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint name_not_empty CHECK ((name <> ''::text))
);
create table carillon.webhook_endpoints (
  tenant_id uuid not null,
  id uuid not null,
  url text not null,
  secrets text[] not null,
  disabled_at timestamp with time zone,
  disabled_reason text,
  created_at timestamp with time zone not null,
  description text,
  event_types text[],
  since pg_snapshot,
  last_success_at timestamp with time zone,
  last_failure_at timestamp with time zone,
  last_failure text,
  failing_since timestamp with time zone,
  constraint webhook_endpoints_url UNIQUE (tenant_id, url),
  constraint webhook_endpoints_pkey PRIMARY KEY (tenant_id, id),
  constraint disabled_reason_iff_disabled CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL))),
  constraint event_types_not_empty CHECK ((cardinality(event_types) > 0)),
  constraint one_or_two_secrets CHECK (((cardinality(secrets) >= 1) AND (cardinality(secrets) <= 2))),
  constraint since_iff_event_types CHECK (((since IS NULL) = (event_types IS NULL)))
) partition by HASH (tenant_id);

-- hash partitions
-- carillon.api_keys: 4 hash partitions
-- carillon.categories: 4 hash partitions
-- carillon.consents: 4 hash partitions
-- carillon.contact_points: 4 hash partitions
-- carillon.inbox_counters: 4 hash partitions with (fillfactor=50)
-- carillon.inhibitions: 4 hash partitions
-- carillon.limit_counters: 4 hash partitions with (fillfactor=60, autovacuum_vacuum_scale_factor=0.05)
-- carillon.limits: 4 hash partitions
-- carillon.members: 4 hash partitions
-- carillon.open_alerts: 4 hash partitions
-- carillon.preference_versions: 4 hash partitions
-- carillon.preferences: 4 hash partitions
-- carillon.recipients: 4 hash partitions
-- carillon.rule_faults: 4 hash partitions
-- carillon.rule_versions: 4 hash partitions
-- carillon.rules: 4 hash partitions
-- carillon.schedules: 4 hash partitions
-- carillon.silences: 4 hash partitions
-- carillon.subject_keys: 4 hash partitions
-- carillon.suppressions: 4 hash partitions
-- carillon.templates: 4 hash partitions
-- carillon.webhook_endpoints: 4 hash partitions

-- indexes
CREATE INDEX audit_batches_ids ON ONLY carillon.audit_batches USING brin (first_id, last_id) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX dead_letters_open ON carillon.dead_letters USING btree (tenant_id, created_at) WHERE (state = 'open'::text);
CREATE INDEX decision_batches_ids ON ONLY carillon.decision_batches USING brin (first_id, last_id) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX digests_closed ON carillon.digests USING btree (closed_at) WHERE (state = 'closed'::text);
CREATE INDEX digests_due ON carillon.digests USING btree (closes_at) WHERE (state <> 'closed'::text);
CREATE INDEX digests_recipient ON carillon.digests USING btree (tenant_id, recipient_id, id);
CREATE INDEX digests_retime ON carillon.digests USING btree (tenant_id, id) WHERE retime;
CREATE INDEX intents_cancelled ON ONLY carillon.intents USING btree (tenant_id, id) WHERE (outcome = 'cancelled'::text);
CREATE INDEX notifications_recipient ON ONLY carillon.notifications USING btree (tenant_id, recipient_id, id);
CREATE INDEX open_alerts_noted ON ONLY carillon.open_alerts USING btree (noted_at);
CREATE INDEX parked_messages_at ON carillon.parked_messages USING btree (parked_at, id);
CREATE INDEX parked_messages_open ON carillon.parked_messages USING btree (topic, reason) WHERE (replayed_at IS NULL);
CREATE INDEX rule_versions_time ON ONLY carillon.rule_versions USING btree (tenant_id, valid_from);
CREATE INDEX schedules_due ON ONLY carillon.schedules USING btree (next_at) WHERE (enabled AND (next_at IS NOT NULL));
CREATE INDEX snoozes_recipient ON carillon.snoozes USING btree (tenant_id, recipient_id);
CREATE INDEX snoozes_until ON carillon.snoozes USING btree (until);
CREATE INDEX status_log_feed ON ONLY carillon.status_log USING btree (xid, id);
CREATE INDEX status_log_subjects ON ONLY carillon.status_log USING brin (first_subject, last_subject) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX subject_keys_key ON ONLY carillon.subject_keys USING btree (tenant_id, key_id);
CREATE INDEX webhook_endpoints_subscribed ON ONLY carillon.webhook_endpoints USING btree (tenant_id) WHERE ((event_types IS NOT NULL) AND (disabled_at IS NULL));
CREATE UNIQUE INDEX contact_points_device ON ONLY carillon.contact_points USING btree (tenant_id, recipient_id, channel, device_id) WHERE (device_id IS NOT NULL);
CREATE UNIQUE INDEX digests_open ON carillon.digests USING btree (tenant_id, recipient_id, key) WHERE (state = 'open'::text);

-- row level security
create policy every_tenant on carillon.api_keys for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.api_keys for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.asked for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.asked for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.audit_batches for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.audit_batches for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy operators_only on carillon.bridge_offsets for all to carillon_worker using (true) with check (true);
create policy every_tenant on carillon.categories for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.categories for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.consents for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.consents for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.contact_points for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.contact_points for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.dead_letters for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.dead_letters for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.decision_batches for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.decision_batches for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.deliveries for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.deliveries for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.delivery_attempts for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.delivery_attempts for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.digest_members for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.digest_members for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.digests for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.digests for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.idempotency_keys for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.idempotency_keys for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.inbox_counters for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.inbox_counters for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.inbox_items for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.inbox_items for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.inhibitions for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.inhibitions for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.intents for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.intents for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.limit_counters for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.limit_counters for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.limits for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.limits for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.members for all to carillon_worker using (true);
create policy tenant_only on carillon.members for all to carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.notifications for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.notifications for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.open_alerts for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.open_alerts for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy operators_only on carillon.parked_messages for all to carillon_worker using (true) with check (true);
create policy every_tenant on carillon.preference_versions for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.preference_versions for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.preferences for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.preferences for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.recipients for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.recipients for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.role_bindings for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.role_bindings for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.rule_faults for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.rule_faults for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.rule_versions for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.rule_versions for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.rules for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.rules for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.schedules for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.schedules for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.settings_versions for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.settings_versions for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy service_only on carillon.signing_keys for all to carillon_api, carillon_worker using (true);
create policy every_tenant on carillon.silences for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.silences for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.snoozes for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.snoozes for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.status_log for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.status_log for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.subject_keys for all to carillon_worker using (true) with check (true);
create policy every_tenant on carillon.suppressions for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.suppressions for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy concerned on carillon.system_limits for select to carillon_api using (((tenant_id IS NULL) OR (tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))));
create policy every_tenant on carillon.system_limits for all to carillon_worker using (true) with check (true);
create policy every_tenant on carillon.templates for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.templates for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.tenants for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.tenants for all to carillon_analyst, carillon_api using ((id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));
create policy every_tenant on carillon.webhook_endpoints for all to carillon_worker using (true) with check (true);
create policy tenant_only on carillon.webhook_endpoints for all to carillon_analyst, carillon_api using ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[]))) with check ((tenant_id = ANY (( SELECT carillon.current_tenants() AS current_tenants)::uuid[])));

-- views
create view carillon.audit_log with (security_invoker=true) as
 SELECT b.tenant_id,
    ((l.line ->> 'notification_id'::text))::uuid AS id,
    b.at,
    l.line
   FROM (carillon.audit_batches b
     CROSS JOIN LATERAL json_array_elements(b.lines) l(line));
create view carillon.decision_log with (security_invoker=true) as
 SELECT b.tenant_id,
    ((l.line ->> 'id'::text))::uuid AS id,
    b.at,
    b.id AS batch,
    l.line
   FROM (carillon.decision_batches b
     CROSS JOIN LATERAL json_array_elements(b.lines) l(line));
create view carillon.delivery_facts with (security_invoker=true) as
 SELECT tenant_id,
    id,
    carillon.notification_id_of(id) AS notification_id,
    (channel)::text AS channel,
    (state)::text AS state,
    reason,
    attempt AS attempts,
    fallback_rank,
    (ARRAY['LOW'::text, 'NORMAL'::text, 'HIGH'::text, 'CRITICAL'::text])[(priority + 1)] AS priority,
    ((created_at AT TIME ZONE 'UTC'::text))::date AS day,
    created_at,
    updated_at,
    next_attempt_at,
    sent_at,
    delivered_at,
    (EXTRACT(epoch FROM (sent_at - created_at)))::double precision AS seconds_to_sent,
    (EXTRACT(epoch FROM (delivered_at - sent_at)))::double precision AS seconds_to_delivered
   FROM carillon.deliveries d;
create view carillon.delivery_stats_daily with (security_invoker=true) as
 SELECT tenant_id,
    day,
    channel,
    state AS outcome,
    count(*) AS deliveries,
    sum(GREATEST((attempts - 1), 0)) AS retries,
    percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY seconds_to_sent) AS p50_seconds_to_sent,
    percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY seconds_to_sent) AS p95_seconds_to_sent
   FROM carillon.delivery_facts f
  GROUP BY tenant_id, day, channel, state;
create view carillon.failure_reasons_daily with (security_invoker=true) as
 SELECT tenant_id,
    day,
    channel,
    state,
    COALESCE(reason, 'unknown'::text) AS reason,
    count(*) AS deliveries
   FROM carillon.delivery_facts f
  WHERE (state = ANY (ARRAY['failed'::text, 'bounced'::text, 'expired'::text, 'suppressed'::text, 'cancelled'::text, 'retrying'::text]))
  GROUP BY tenant_id, day, channel, state, COALESCE(reason, 'unknown'::text);
create view carillon.notification_facts with (security_invoker=true) as
 SELECT n.tenant_id,
    n.id,
    carillon.intent_id_of(n.id) AS intent_id,
    COALESCE((n.outcome)::text,
        CASE
            WHEN (d.deliveries = 0) THEN
            CASE
                WHEN (n.reason = 'digest'::text) THEN 'scheduled'::text
                ELSE 'pending'::text
            END
            WHEN (d.only_audit IS NOT NULL) THEN d.only_audit
            WHEN d.delivered THEN 'delivered'::text
            WHEN d.sent THEN 'sent'::text
            WHEN d.sending THEN 'sending'::text
            WHEN d.retrying THEN 'retrying'::text
            WHEN d.queued THEN 'queued'::text
            WHEN d.snoozed THEN 'scheduled'::text
            WHEN d.held THEN 'queued'::text
            WHEN d.all_cancelled THEN 'cancelled'::text
            WHEN d.all_suppressed THEN 'suppressed'::text
            WHEN d.all_expired THEN 'expired'::text
            ELSE 'failed'::text
        END) AS status,
    n.reason,
    n.type,
    n.category,
    (ARRAY['LOW'::text, 'NORMAL'::text, 'HIGH'::text, 'CRITICAL'::text])[(n.priority + 1)] AS priority,
    n.channels,
    n.template,
    n.recipient_type,
    n.recipient_id,
    n.locale,
    n.timezone,
    n.event_id,
    n.correlation_id,
    n.created_at,
    n.scheduled_at,
    n.expires_at,
    d.first_sent_at,
    d.first_delivered_at,
    (EXTRACT(epoch FROM (d.first_sent_at - GREATEST(n.created_at, n.scheduled_at))))::double precision AS seconds_to_sent,
    d.deliveries
   FROM (carillon.notifications n
     CROSS JOIN LATERAL ( SELECT count(*) AS deliveries,
                CASE
                    WHEN bool_and((d_1.channel = 'audit'::carillon.channel)) THEN min((d_1.state)::text)
                    ELSE NULL::text
                END AS only_audit,
            COALESCE(bool_or(((d_1.state = 'delivered'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS delivered,
            COALESCE(bool_or(((d_1.state = 'sent'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS sent,
            COALESCE(bool_or(((d_1.state = 'sending'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS sending,
            COALESCE(bool_or(((d_1.state = 'retrying'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS retrying,
            COALESCE(bool_or(((d_1.state = 'queued'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS queued,
            COALESCE(bool_or(((d_1.state = 'snoozed'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS snoozed,
            COALESCE(bool_or(((d_1.state = 'held'::carillon.delivery_state) AND (d_1.channel <> 'audit'::carillon.channel))), false) AS held,
            COALESCE(bool_and(((d_1.state = 'cancelled'::carillon.delivery_state) OR (d_1.channel = 'audit'::carillon.channel))), false) AS all_cancelled,
            COALESCE(bool_and(((d_1.state = 'suppressed'::carillon.delivery_state) OR (d_1.channel = 'audit'::carillon.channel))), false) AS all_suppressed,
            COALESCE(bool_and(((d_1.state = 'expired'::carillon.delivery_state) OR (d_1.channel = 'audit'::carillon.channel))), false) AS all_expired,
            COALESCE(min(d_1.sent_at) FILTER (WHERE (d_1.channel <> 'audit'::carillon.channel)), min(d_1.sent_at)) AS first_sent_at,
            min(d_1.delivered_at) AS first_delivered_at
           FROM carillon.deliveries d_1
          WHERE ((d_1.tenant_id = n.tenant_id) AND (d_1.id > n.id) AND (d_1.id <= carillon.last_id_of(n.id)))) d);
create view carillon.partitions as
 SELECT t.name AS table_name,
    (c.relname)::text AS partition_name,
        CASE
            WHEN (c.relname ~ '_[0-9]{8}$'::text) THEN to_date("right"((c.relname)::text, 8), 'YYYYMMDD'::text)
            ELSE NULL::date
        END AS day,
    t.retention_days
   FROM ((carillon.partitioned_tables t
     JOIN pg_inherits i ON ((i.inhparent = ((('carillon.'::text || t.name))::regclass)::oid)))
     JOIN pg_class c ON ((c.oid = i.inhrelid)));
create view carillon.status_events with (security_invoker=true) as
 SELECT l.tenant_id,
    e.subject_id,
    carillon.event_id(l.id, (e.ordinality - 1)) AS id,
    l.xid,
    e.type,
    l.at,
    e.data
   FROM (carillon.status_log l
     CROSS JOIN LATERAL ROWS FROM(json_to_recordset(l.events) AS (subject_id uuid, type text, data json)) WITH ORDINALITY e(subject_id, type, data, ordinality));

-- functions
create function carillon.accept_intent(p_now timestamp with time zone, p_tenant uuid, p_type text, p_priority smallint, p_category text, p_key text, p_event_id text, p_correlation_id text, p_traceparent text, p_source text, p_scheduled_at timestamp with time zone, p_expires_at timestamp with time zone, p_payload jsonb) returns uuid -- volatile
create function carillon.accept_intents(p_now timestamp with time zone, p_key_ttl interval, p_claimed boolean, p_tenants uuid[], p_ids uuid[], p_kinds text[], p_types text[], p_priorities smallint[], p_categories text[], p_keys text[], p_event_ids text[], p_correlation_ids text[], p_traceparents text[], p_sources text[], p_scheduled_at timestamp with time zone[], p_expires_at timestamp with time zone[], p_recipients integer[], p_jobs uuid[], p_payloads jsonb, p_events json) returns TABLE(ord integer, status text, intent_id uuid) -- volatile security definer
create function carillon.acting_tenant(p_function text, p_named uuid) returns uuid -- stable
create function carillon.add_consent(p_tenant uuid, p_recipient text, p_category text, p_granted boolean, p_source text, p_wording_version text, p_proof jsonb, p_at timestamp with time zone, p_now timestamp with time zone) returns timestamp with time zone -- volatile
create function carillon.add_contact_point(recipient text, channel text, address text, device_id text DEFAULT NULL::text, first boolean DEFAULT false, verified boolean DEFAULT false, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.add_suppressions(p_tenant uuid, p_addresses json, p_now timestamp with time zone) returns SETOF carillon.suppressions -- volatile
create function carillon.address_key(p_channel carillon.channel, p_address text) returns text -- immutable
create function carillon.append_events(p_tenant uuid, p_id uuid, p_at timestamp with time zone, p_events json) returns void -- volatile
create function carillon.audit_of(p_id uuid) returns TABLE(tenant_id uuid, id uuid, at timestamp with time zone, line json) -- stable
create function carillon.bump_every_tenant() returns trigger -- volatile security definer
create function carillon.bump_settings() returns trigger -- volatile security definer
create function carillon.cancel_planned(p_tenant uuid, p_intent uuid, p_after uuid, p_limit integer, p_batch uuid, p_now timestamp with time zone, OUT last_id uuid, OUT stopped integer) returns record -- volatile security definer
create function carillon.cancelled_intents(p_tenant uuid, p_least uuid, p_greatest uuid) returns uuid[] -- volatile
create function carillon.change_contact_point(p_tenant uuid, p_recipient text, p_change text, p_channel carillon.channel, p_address text, p_now timestamp with time zone, p_device_id text DEFAULT NULL::text, p_first boolean DEFAULT false, p_verified boolean DEFAULT false, p_reason text DEFAULT NULL::text) returns boolean -- volatile
create function carillon.change_preferences(p_tenant uuid, p_recipient text, p_patch jsonb, p_by text, p_now timestamp with time zone) returns integer -- volatile
create function carillon.channel_names() returns text[] -- immutable
create function carillon.check_channel(p_function text, p_channel text) returns void -- stable
create function carillon.check_consent(p_function text, p_recipient text, p_category text, p_source text, p_wording_version text, p_proof jsonb) returns void -- stable
create function carillon.check_recipient(p_function text, p_recipient text) returns void -- stable
create function carillon.check_suppressed(p_function text, p_channel text, p_address text) returns void -- stable
create function carillon.current_tenants() returns uuid[] -- stable security definer
create function carillon.decide_again(p_tenant uuid, p_recipients text[], p_now timestamp with time zone) returns bigint -- volatile
create function carillon.decisions_of(p_id uuid) returns TABLE(tenant_id uuid, id uuid, at timestamp with time zone, batch uuid, line json) -- stable
create function carillon.delete_recipient(recipient text, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.delete_recipients(p_tenant uuid, p_ids text[], p_by text, p_now timestamp with time zone) returns SETOF text -- volatile
create function carillon.delivery_ids(p_notification uuid) returns SETOF uuid -- immutable
create function carillon.drop_partition(p_table text, p_day date, p_now timestamp with time zone) returns text -- volatile security definer
create function carillon.end_day(p_table text, p_now timestamp with time zone) returns SETOF text -- volatile security definer
create function carillon.enqueue(p_jobs json) returns void -- volatile
create function carillon.ensure_partitions(p_table text, p_now timestamp with time zone, p_days_ahead integer) returns SETOF text -- volatile security definer
create function carillon.event_id(batch uuid, place bigint) returns uuid -- immutable
create function carillon.events_of(p_id uuid) returns TABLE(tenant_id uuid, subject_id uuid, id uuid, xid xid8, type text, at timestamp with time zone, data json) -- stable
create function carillon.first_id_at(at timestamp with time zone) returns uuid -- immutable
create function carillon.fold_members(p_tenant uuid, p_now timestamp with time zone, p_groups jsonb, p_members json, p_ids uuid[], p_batch uuid, p_events json) returns void -- volatile
create function carillon.id_time(id uuid) returns timestamp with time zone -- immutable
create function carillon.intent_id_of(id uuid) returns uuid -- immutable
create function carillon.intents_queue(p_priority smallint) returns text -- immutable
create function carillon.invalidate_contact_point(recipient text, channel text, address text, reason text, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.is_asked(p_lane text, p_seen pg_snapshot) returns boolean -- stable
create function carillon.is_time_zone(p_name text) returns boolean -- stable
create function carillon.is_vacuumed_late(p_table text) returns boolean -- immutable
create function carillon.keep_members_after_delete() returns trigger -- volatile security definer
create function carillon.keep_members_after_insert() returns trigger -- volatile security definer
create function carillon.keep_members_after_truncate() returns trigger -- volatile security definer
create function carillon.keep_members_after_update() returns trigger -- volatile security definer
create function carillon.keep_preference_versions() returns trigger -- volatile security definer
create function carillon.key_bucket(p_now timestamp with time zone) returns date -- immutable
create function carillon.last_id_of(id uuid) returns uuid -- immutable
create function carillon.mark_cancelled(p_tenant uuid, p_intent uuid, p_batch uuid, p_now timestamp with time zone) returns integer -- volatile security definer
create function carillon.merge_patch(p_target jsonb, p_patch jsonb) returns jsonb -- immutable
create function carillon.new_id(at timestamp with time zone) returns uuid -- volatile
create function carillon.new_intent_id(at timestamp with time zone) returns uuid -- volatile
create function carillon.new_job(p_id uuid, p_queue text, p_data jsonb, p_priority integer, p_start_after timestamp with time zone, p_claimed boolean) returns TABLE(id uuid, name text, group_id text, data jsonb, priority integer, start_after timestamp with time zone, keep_until timestamp with time zone, retry_limit integer, retry_delay integer, retry_backoff boolean, retry_delay_max integer, expire_seconds integer, deletion_seconds integer, policy text, dead_letter text, heartbeat_seconds integer, state pgboss.job_state, started_on timestamp with time zone, heartbeat_on timestamp with time zone) -- volatile
create function carillon.next_key_bucket(p_now timestamp with time zone) returns date -- stable
create function carillon.notification_id(intent_id uuid, ordinal integer) returns uuid -- immutable
create function carillon.notification_id_of(id uuid) returns uuid -- immutable
create function carillon.notify(type text, recipient jsonb, template text DEFAULT NULL::text, data jsonb DEFAULT '{}'::jsonb, channels text[] DEFAULT NULL::text[], fallback_channels text[] DEFAULT NULL::text[], priority text DEFAULT 'NORMAL'::text, category text DEFAULT NULL::text, subject text DEFAULT NULL::text, body text DEFAULT NULL::text, body_html text DEFAULT NULL::text, metadata jsonb DEFAULT '{}'::jsonb, idempotency_key text DEFAULT NULL::text, event_id text DEFAULT NULL::text, scheduled_at timestamp with time zone DEFAULT NULL::timestamp with time zone, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, correlation_id text DEFAULT NULL::text, traceparent text DEFAULT NULL::text, tenant uuid DEFAULT NULL::uuid, schedule jsonb DEFAULT NULL::jsonb) returns uuid -- volatile security definer
create function carillon.oldest_asked() returns timestamp with time zone -- stable security definer
create function carillon.partition_in_use(p_table text, p_day date, p_now timestamp with time zone) returns text -- stable security definer
create function carillon.payload_hash(kind text, type text, priority smallint, category text, event_id text, scheduled_at timestamp with time zone, expires_at timestamp with time zone, payload jsonb) returns bytea -- stable
create function carillon.planning_key(p_tenant uuid) returns bigint -- immutable
create function carillon.priorities_of(p_lane text) returns smallint[] -- immutable
create function carillon.read_contact_points(p_function text, p_points jsonb) returns jsonb -- stable
create function carillon.read_preferences(p_given jsonb, p_kind text DEFAULT 'preferences'::text, p_path text[] DEFAULT '{}'::text[]) returns jsonb -- stable
create function carillon.read_schedule(p_schedule jsonb) returns jsonb -- stable
create function carillon.record_consent(recipient text, category text, source text, wording_version text DEFAULT NULL::text, proof jsonb DEFAULT NULL::jsonb, at timestamp with time zone DEFAULT NULL::timestamp with time zone, tenant uuid DEFAULT NULL::uuid) returns timestamp with time zone -- volatile security definer
create function carillon.refuse_argument(p_function text, p_field text, p_fault text) returns void -- stable
create function carillon.remove_contact_point(recipient text, channel text, address text, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.remove_suppression(p_tenant uuid, p_channel carillon.channel, p_address text) returns boolean -- volatile
create function carillon.replay_dead_letters(p_tenant uuid, p_ids uuid[], p_by text, p_now timestamp with time zone) returns SETOF uuid -- volatile security definer
create function carillon.retime_digests(p_tenant uuid, p_recipients text[]) returns void -- volatile
create function carillon.session_tenants() returns uuid[] -- stable
create function carillon.set_preferences(recipient text, preferences jsonb, changed_by text DEFAULT NULL::text, tenant uuid DEFAULT NULL::uuid) returns integer -- volatile security definer
create function carillon.stop_unsent(p_tenant uuid, p_recipient text, p_reason text, p_now timestamp with time zone, p_category text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_channel text DEFAULT NULL::text) returns bigint -- volatile security definer
create function carillon.suppress(channel text, address text, reason text DEFAULT 'manual'::text, source text DEFAULT 'sql'::text, note text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone, tenant uuid DEFAULT NULL::uuid) returns void -- volatile security definer
create function carillon.take_asked(p_lane text, p_seen pg_snapshot, p_now timestamp with time zone, p_max integer, p_chunk integer, p_room integer, p_full uuid[]) returns TABLE(claimed json, others_due boolean, seen text) -- volatile
create function carillon.unsuppress(channel text, address text, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.upsert_recipient(external_id text, name text DEFAULT NULL::text, locale text DEFAULT NULL::text, timezone text DEFAULT NULL::text, roles text[] DEFAULT NULL::text[], groups text[] DEFAULT NULL::text[], attributes jsonb DEFAULT NULL::jsonb, contact_points jsonb DEFAULT NULL::jsonb, enabled boolean DEFAULT NULL::boolean, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.verify_contact_point(recipient text, channel text, address text, tenant uuid DEFAULT NULL::uuid) returns boolean -- volatile security definer
create function carillon.watch_settings(p_table text) returns void -- volatile
create function carillon.withdraw_consent(recipient text, category text, source text DEFAULT 'sql'::text, wording_version text DEFAULT NULL::text, proof jsonb DEFAULT NULL::jsonb, tenant uuid DEFAULT NULL::uuid) returns timestamp with time zone -- volatile security definer
create function carillon.write_recipients(p_tenant uuid, p_profiles jsonb, p_now timestamp with time zone) returns TABLE(external_id text, is_new boolean) -- volatile

-- grants on tables and views
grant insert, select, update on carillon.api_keys to carillon_api;
grant delete, insert, select, update on carillon.api_keys to carillon_worker;
grant select on carillon.asked to carillon_api;
grant delete, insert, select on carillon.asked to carillon_worker;
grant select on carillon.audit_batches to carillon_api;
grant delete, insert, select, update on carillon.audit_batches to carillon_worker;
grant select on carillon.audit_log to carillon_api;
grant select on carillon.audit_log to carillon_worker;
grant delete, insert, select, update on carillon.bridge_offsets to carillon_worker;
grant select on carillon.categories to carillon_analyst;
grant delete, insert, select, update on carillon.categories to carillon_api;
grant delete, insert, select, update on carillon.categories to carillon_worker;
grant insert, select on carillon.consents to carillon_api;
grant delete, insert, select on carillon.consents to carillon_worker;
grant delete, insert, select, update on carillon.contact_points to carillon_api;
grant delete, insert, select, update on carillon.contact_points to carillon_worker;
grant select on carillon.dead_letters to carillon_analyst;
grant select on carillon.dead_letters to carillon_api;
grant delete, insert, select, update on carillon.dead_letters to carillon_worker;
grant select on carillon.decision_batches to carillon_api;
grant delete, insert, select, update on carillon.decision_batches to carillon_worker;
grant select on carillon.decision_log to carillon_api;
grant select on carillon.decision_log to carillon_worker;
grant select on carillon.deliveries to carillon_api;
grant delete, insert, select, update on carillon.deliveries to carillon_worker;
grant select on carillon.delivery_attempts to carillon_api;
grant delete, insert, select, update on carillon.delivery_attempts to carillon_worker;
grant select on carillon.delivery_facts to carillon_analyst;
grant select on carillon.delivery_facts to carillon_api;
grant select on carillon.delivery_stats_daily to carillon_analyst;
grant select on carillon.delivery_stats_daily to carillon_api;
grant delete, select on carillon.digest_members to carillon_api;
grant delete, insert, select, update on carillon.digest_members to carillon_worker;
grant select on carillon.digests to carillon_api;
grant delete, insert, select, update on carillon.digests to carillon_worker;
grant select on carillon.failure_reasons_daily to carillon_analyst;
grant select on carillon.failure_reasons_daily to carillon_api;
grant select on carillon.feed_cursors to carillon_api;
grant delete, insert, select, update on carillon.feed_cursors to carillon_worker;
grant select on carillon.idempotency_keys to carillon_api;
grant delete, insert, select, update on carillon.idempotency_keys to carillon_worker;
grant select on carillon.inbox_counters to carillon_analyst;
grant insert, select, update on carillon.inbox_counters to carillon_api;
grant delete, insert, select, update on carillon.inbox_counters to carillon_worker;
grant select on carillon.inbox_items to carillon_api;
grant delete, insert, select, update on carillon.inbox_items to carillon_worker;
grant select on carillon.inhibitions to carillon_analyst;
grant delete, insert, select, update on carillon.inhibitions to carillon_api;
grant delete, insert, select, update on carillon.inhibitions to carillon_worker;
grant select on carillon.intents to carillon_api;
grant delete, insert, select, update on carillon.intents to carillon_worker;
grant select on carillon.limit_counters to carillon_api;
grant delete, insert, select, update on carillon.limit_counters to carillon_worker;
grant delete, insert, select, update on carillon.limits to carillon_api;
grant delete, insert, select, update on carillon.limits to carillon_worker;
grant select on carillon.members to carillon_api;
grant select on carillon.members to carillon_worker;
grant select on carillon.migrations to carillon_api;
grant select on carillon.migrations to carillon_worker;
grant select on carillon.notification_facts to carillon_analyst;
grant select on carillon.notification_facts to carillon_api;
grant insert, select on carillon.notifications to carillon_api;
grant delete, insert, select, update on carillon.notifications to carillon_worker;
grant select on carillon.open_alerts to carillon_analyst;
grant delete, select on carillon.open_alerts to carillon_api;
grant delete, insert, select, update on carillon.open_alerts to carillon_worker;
grant delete, insert, select, update on carillon.parked_messages to carillon_worker;
grant select on carillon.partitioned_tables to carillon_api;
grant select on carillon.partitioned_tables to carillon_worker;
grant select on carillon.partitions to carillon_api;
grant select on carillon.partitions to carillon_worker;
grant select on carillon.preference_versions to carillon_api;
grant select on carillon.preference_versions to carillon_worker;
grant delete, insert, select, update on carillon.preferences to carillon_api;
grant delete, insert, select, update on carillon.preferences to carillon_worker;
grant delete, insert, select, update on carillon.recipients to carillon_api;
grant delete, insert, select, update on carillon.recipients to carillon_worker;
grant delete, insert, select, update on carillon.role_bindings to carillon_worker;
grant select on carillon.rule_faults to carillon_analyst;
grant delete, select on carillon.rule_faults to carillon_api;
grant delete, insert, select, update on carillon.rule_faults to carillon_worker;
grant insert, select, update on carillon.rule_versions to carillon_api;
grant delete, insert, select, update on carillon.rule_versions to carillon_worker;
grant delete, insert, select, update on carillon.rules to carillon_api;
grant delete, insert, select, update on carillon.rules to carillon_worker;
grant delete, insert, select, update on carillon.schedules to carillon_api;
grant delete, insert, select, update on carillon.schedules to carillon_worker;
grant select on carillon.settings_versions to carillon_api;
grant delete, insert, select, update on carillon.settings_versions to carillon_worker;
grant select on carillon.signing_keys to carillon_api;
grant select on carillon.signing_keys to carillon_worker;
grant select on carillon.silences to carillon_analyst;
grant insert, select, update on carillon.silences to carillon_api;
grant delete, insert, select, update on carillon.silences to carillon_worker;
grant select on carillon.snoozes to carillon_analyst;
grant delete, select on carillon.snoozes to carillon_api;
grant delete, insert, select, update on carillon.snoozes to carillon_worker;
grant select on carillon.status_events to carillon_analyst;
grant select on carillon.status_events to carillon_api;
grant select on carillon.status_events to carillon_worker;
grant select on carillon.status_log to carillon_analyst;
grant insert, select on carillon.status_log to carillon_api;
grant delete, insert, select, update on carillon.status_log to carillon_worker;
grant delete, insert, select, update on carillon.subject_keys to carillon_worker;
grant delete, insert, select, update on carillon.suppressions to carillon_api;
grant delete, insert, select, update on carillon.suppressions to carillon_worker;
grant select on carillon.system_limits to carillon_api;
grant delete, insert, select, update on carillon.system_limits to carillon_worker;
grant insert, select, update on carillon.templates to carillon_api;
grant delete, insert, select, update on carillon.templates to carillon_worker;
grant select on carillon.tenants to carillon_analyst;
grant select on carillon.tenants to carillon_api;
grant insert, select, update on carillon.tenants to carillon_worker;
grant delete, insert, select, update on carillon.webhook_endpoints to carillon_api;
grant delete, insert, select, update on carillon.webhook_endpoints to carillon_worker;

-- grants on columns
grant select (at, category, granted, recipient_id, source, tenant_id, wording_version) on carillon.consents to carillon_analyst;
grant select (attempt, channel, created_at, delivered_at, fallback_rank, id, next_attempt_at, priority, reason, sent_at, state, tenant_id, updated_at) on carillon.deliveries to carillon_analyst;
grant update (next_attempt_at, reason, state, updated_at) on carillon.deliveries to carillon_api;
grant select (attempt, channel, completed_at, delivery_id, detail, outcome, possible_duplicate, provider, provider_message_id, reason, started_at, tenant_id) on carillon.delivery_attempts to carillon_analyst;
grant update (notification_ids) on carillon.digest_members to carillon_api;
grant select (close_reason, closed_at, closes_at, count, flushed_at, folded, id, intent_id, key, kind, longest_at, opened_at, recipient_id, size, state, tenant_id) on carillon.digests to carillon_analyst;
grant update (close_reason, closes_at, count, retime) on carillon.digests to carillon_api;
grant update (archived_at, read_at, seen_at) on carillon.inbox_items to carillon_api;
grant select (accepted_at, category, correlation_id, event_id, expires_at, id, kind, outcome, priority, recipients, scheduled_at, source, tenant_id, traceparent, type) on carillon.intents to carillon_analyst;
grant select (category, channels, correlation_id, created_at, digest_id, event_id, expires_at, has_fallback, id, locale, outcome, priority, reason, recipient_id, recipient_type, rule_id, rule_version, scheduled_at, template, tenant_id, timezone, traceparent, type) on carillon.notifications to carillon_analyst;
grant update (outcome, reason) on carillon.notifications to carillon_api;
grant update (retention_days) on carillon.partitioned_tables to carillon_worker;
grant select (enabled, name, rule_id, tenant_id, valid_from, valid_to, version) on carillon.rule_versions to carillon_analyst;
grant select (created_at, disabled_reason, enabled, id, name, tenant_id, updated_at, version) on carillon.rules to carillon_analyst;
grant select (created_at, enabled, ends_at, id, kind, last_intent_id, last_occurrence, last_run_at, name, next_at, recurrence, runs, starts_at, tenant_id, updated_at) on carillon.schedules to carillon_analyst;
grant update (until) on carillon.snoozes to carillon_api;
grant select (channel, created_at, expires_at, reason, source, tenant_id) on carillon.suppressions to carillon_analyst;
grant select (created_at, description, enabled, id, name, tags, tenant_id, updated_at, version) on carillon.templates to carillon_analyst;

-- grants on functions
grant execute on function carillon.accept_intents to carillon_api, carillon_worker;
grant execute on function carillon.acting_tenant to carillon_api;
grant execute on function carillon.add_consent to carillon_api, carillon_worker;
grant execute on function carillon.add_contact_point to carillon_api, carillon_caller;
grant execute on function carillon.add_suppressions to carillon_api, carillon_worker;
grant execute on function carillon.address_key to carillon_api, carillon_worker;
grant execute on function carillon.append_events to carillon_api, carillon_worker;
grant execute on function carillon.audit_of to carillon_api, carillon_worker;
grant execute on function carillon.cancel_planned to carillon_api;
grant execute on function carillon.cancelled_intents to carillon_worker;
grant execute on function carillon.change_contact_point to carillon_api, carillon_worker;
grant execute on function carillon.change_preferences to carillon_api, carillon_worker;
grant execute on function carillon.channel_names to carillon_api, carillon_worker;
grant execute on function carillon.check_consent to carillon_api;
grant execute on function carillon.check_recipient to carillon_api;
grant execute on function carillon.check_suppressed to carillon_api;
grant execute on function carillon.current_tenants to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.decide_again to carillon_api, carillon_worker;
grant execute on function carillon.decisions_of to carillon_api, carillon_worker;
grant execute on function carillon.delete_recipient to carillon_api, carillon_caller;
grant execute on function carillon.delete_recipients to carillon_api;
grant execute on function carillon.drop_partition to carillon_worker;
grant execute on function carillon.end_day to carillon_worker;
grant execute on function carillon.enqueue to carillon_worker;
grant execute on function carillon.ensure_partitions to carillon_worker;
grant execute on function carillon.event_id to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.events_of to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.first_id_at to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.fold_members to carillon_worker;
grant execute on function carillon.id_time to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.intent_id_of to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.intents_queue to carillon_worker;
grant execute on function carillon.invalidate_contact_point to carillon_api, carillon_caller;
grant execute on function carillon.is_asked to carillon_worker;
grant execute on function carillon.is_time_zone to carillon_api, carillon_worker;
grant execute on function carillon.last_id_of to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.mark_cancelled to carillon_api;
grant execute on function carillon.merge_patch to carillon_api, carillon_worker;
grant execute on function carillon.new_id to carillon_api, carillon_worker;
grant execute on function carillon.new_intent_id to carillon_api, carillon_worker;
grant execute on function carillon.new_job to carillon_worker;
grant execute on function carillon.notification_id to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.notification_id_of to carillon_analyst, carillon_api, carillon_worker;
grant execute on function carillon.notify to carillon_api, carillon_caller;
grant execute on function carillon.oldest_asked to carillon_api, carillon_worker;
grant execute on function carillon.planning_key to carillon_worker;
grant execute on function carillon.priorities_of to carillon_worker;
grant execute on function carillon.read_contact_points to carillon_api;
grant execute on function carillon.read_preferences to carillon_api, carillon_worker;
grant execute on function carillon.record_consent to carillon_api, carillon_caller;
grant execute on function carillon.refuse_argument to carillon_api;
grant execute on function carillon.remove_contact_point to carillon_api, carillon_caller;
grant execute on function carillon.remove_suppression to carillon_api, carillon_worker;
grant execute on function carillon.replay_dead_letters to carillon_api, carillon_worker;
grant execute on function carillon.retime_digests to carillon_api, carillon_worker;
grant execute on function carillon.set_preferences to carillon_api, carillon_caller;
grant execute on function carillon.stop_unsent to carillon_api, carillon_worker;
grant execute on function carillon.suppress to carillon_api, carillon_caller;
grant execute on function carillon.take_asked to carillon_worker;
grant execute on function carillon.unsuppress to carillon_api, carillon_caller;
grant execute on function carillon.upsert_recipient to carillon_api, carillon_caller;
grant execute on function carillon.verify_contact_point to carillon_api, carillon_caller;
grant execute on function carillon.withdraw_consent to carillon_api, carillon_caller;
grant execute on function carillon.write_recipients to carillon_api, carillon_worker;
