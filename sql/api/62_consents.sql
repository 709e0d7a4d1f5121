-- Write down a word on a category: granted or withdrawn. The last word by time is what holds; p_at null is now, and then after
-- whatever was said before, whoever's clock was ahead. What waits for the recipient is decided anew, and after a withdrawal what
-- was planned of the category is not sent any more, unless it is required: that asks for no consent. Returns the moment that it was written down with.
-- Called by: store/consents.ts, record_consent, withdraw_consent. Locks: consents of this recipient and category, one after the other.
create or replace function carillon.add_consent(p_tenant uuid, p_recipient text, p_category text, p_granted boolean, p_source text,
  p_wording_version text, p_proof jsonb, p_at timestamptz, p_now timestamptz) returns timestamptz
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  last record;
  said_at timestamptz := p_at;
begin
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'carillon.consents', p_tenant, p_recipient, p_category), 0));
  select c.at, c.granted into last from carillon.consents c
  where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.category = p_category
  order by c.at desc limit 1;
  said_at := coalesce(p_at, greatest(p_now, last.at + interval '1 microsecond'));
  while exists (select from carillon.consents c where c.tenant_id = p_tenant and c.recipient_id = p_recipient
                and c.category = p_category and c.at = said_at) loop
    said_at := said_at + interval '1 microsecond';
  end loop;
  insert into carillon.consents (tenant_id, recipient_id, category, at, granted, source, wording_version, proof)
  values (p_tenant, p_recipient, p_category, said_at, p_granted, p_source, p_wording_version, p_proof);
  if last.at > said_at then
    return said_at; -- an older word, told late, changes nothing
  end if;
  perform carillon.decide_again(p_tenant, array[p_recipient], p_now);
  if not p_granted and not exists (
    select from carillon.categories c where c.tenant_id = p_tenant and c.name = p_category and c.required) then
    perform carillon.stop_unsent(p_tenant, p_recipient, 'no_consent', p_now, p_category => p_category);
  end if;
  return said_at;
end
$$;
grant execute on function carillon.add_consent(uuid, text, text, boolean, text, text, jsonb, timestamptz, timestamptz) to carillon_api, carillon_worker;

-- carillon.record_consent: an opt-in to a category, in your own transaction.
--
--   select carillon.record_consent('user-42', 'marketing', source => 'signup form', wording_version => '2026-04',
--                                  proof => '{"form": "https://example.com/signup", "ip": "192.0.2.1"}');
--
-- at: when it was given, for consents told late; absent: now. An older word never overrides a later one. Returns the moment it
-- is kept under. Errors as carillon.notify.
create or replace function carillon.record_consent(recipient text, category text, source text, wording_version text default null,
  proof jsonb default null, at timestamptz default null, tenant uuid default null) returns timestamptz
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  now_at timestamptz := clock_timestamp();
begin
  tenant := carillon.acting_tenant('carillon.record_consent', tenant);
  perform carillon.check_consent('carillon.record_consent', recipient, category, source, wording_version, proof);
  if at > now_at or not isfinite(at) then
    perform carillon.refuse_argument('carillon.record_consent', 'at', 'must not be in the future');
  end if;
  return carillon.add_consent(tenant, recipient, category, true, source, wording_version, proof, at, now_at);
end
$$;

-- carillon.withdraw_consent: takes an opt-in back, or an objection where there was none. Of the category nothing is sent from the
-- commit on, but what is at a provider at that moment.
--
--   select carillon.withdraw_consent('user-42', 'marketing', source => 'support call');
create or replace function carillon.withdraw_consent(recipient text, category text, source text default 'sql', wording_version text default null,
  proof jsonb default null, tenant uuid default null) returns timestamptz
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  tenant := carillon.acting_tenant('carillon.withdraw_consent', tenant);
  perform carillon.check_consent('carillon.withdraw_consent', recipient, category, source, wording_version, proof);
  return carillon.add_consent(tenant, recipient, category, false, source, wording_version, proof, null, clock_timestamp());
end
$$;

create or replace function carillon.check_consent(p_function text, p_recipient text, p_category text, p_source text, p_wording_version text,
  p_proof jsonb) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  perform carillon.check_recipient(p_function, p_recipient);
  if coalesce(length(p_category), 0) not between 1 and 200 or p_category ~ '[\r\n]' then
    perform carillon.refuse_argument(p_function, 'category', 'must be 1 to 200 characters in one line');
  elsif coalesce(length(p_source), 0) not between 1 and 200 then
    perform carillon.refuse_argument(p_function, 'source', 'must be 1 to 200 characters');
  elsif length(p_wording_version) not between 1 and 200 then
    perform carillon.refuse_argument(p_function, 'wording_version', 'must be 1 to 200 characters');
  elsif octet_length(p_proof::text) > 16384 then
    perform carillon.refuse_argument(p_function, 'proof', 'must be at most 16 KiB');
  end if;
end
$$;
grant execute on function carillon.record_consent(text, text, text, text, jsonb, timestamptz, uuid),
  carillon.withdraw_consent(text, text, text, text, jsonb, uuid) to carillon_caller, carillon_api;
grant execute on function carillon.check_consent(text, text, text, text, text, jsonb) to carillon_api;
