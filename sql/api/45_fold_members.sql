-- Fold notifications into the open digests of their recipients, in the transaction that has planned them, and after that
-- statement: they are new, and a planning that comes again must not name them once more.
--   p_groups [{"recipient_id", "recipient", "key", "kind", "policy", "timezone", "closes_at", "longest_at", "size"}], one for each
--   recipient and key; p_members [{"place" (of its group, from 1), "event_ref", "notification_id", "item", "said", "resolved"}] in
--   order; p_ids fresh ids: one for each group, and one for each digest that may be filled; p_events, p_batch: see carillon.append_events.
-- An event that is in the digest is not taken once more; of an alert the last word counts. What no longer goes into a digest opens
-- the next one. Sets digest_id of the notifications.
-- Called by: pipeline/plan/fold-members.ts. Locks: open digests, in the order of recipient and key. One that is just being closed
--   is waited for, and then a new one is opened.
create or replace function carillon.fold_members(
  p_tenant uuid, p_now timestamptz, p_groups jsonb, p_members json, p_ids uuid[], p_batch uuid, p_events json
)
  returns void
  language plpgsql volatile set enable_nestloop = on
as $$
#variable_conflict use_column
declare
  digest_ids uuid[];
  counts int[];
  sizes int[];
  m_digests uuid[];
  m_events text[];
  m_places int[];
  m_fresh boolean[];
begin
  with asked as (
    select g.ord, p_ids[g.ord] as id, g.recipient_id, g.recipient, g.key, g.kind, g.policy, g.timezone, g.closes_at, g.longest_at, g.size
    from rows from (jsonb_to_recordset(p_groups) as (recipient_id text, recipient jsonb, key text, kind text, policy jsonb, timezone text,
      closes_at timestamptz, longest_at timestamptz, size int)) with ordinality
      as g (recipient_id, recipient, key, kind, policy, timezone, closes_at, longest_at, size, ord)
  ), opened as (
    insert into carillon.digests as d (tenant_id, id, recipient_id, recipient, key, kind, policy, timezone, opened_at, closes_at, longest_at,
      size, count)
    select p_tenant, a.id, a.recipient_id, a.recipient, a.key, a.kind, a.policy, a.timezone, p_now, a.closes_at, a.longest_at, a.size, 0
    from asked a
    order by a.recipient_id, a.key
    on conflict (tenant_id, recipient_id, key) where state = 'open'
    do update set
      recipient = excluded.recipient, policy = excluded.policy, timezone = excluded.timezone, size = excluded.size,
      closes_at = case
        when d.close_reason is not null then d.closes_at
        when d.kind = 'group' then
          case when d.flushed_at is null then d.closes_at
               else least(d.closes_at, greatest(p_now, d.flushed_at + (excluded.policy ->> 'intervalMs')::float8 * interval '1 millisecond')) end
        when d.policy <> excluded.policy or d.timezone is distinct from excluded.timezone then excluded.closes_at
        when (excluded.policy ->> 'sliding')::boolean then least(excluded.closes_at, d.longest_at)
        else d.closes_at end
    returning d.recipient_id, d.key, d.id, d.count
  )
  select array_agg(o.id order by a.ord), array_agg(o.count order by a.ord), array_agg(a.size order by a.ord)
  into digest_ids, counts, sizes
  from asked a join opened o on o.recipient_id = a.recipient_id and o.key = a.key;

  -- Which member goes where: what is there already, stays there; the others fill what is open, and then digests of their own.
  with member as (
    select m.place, m.event_ref, m.ord
    from rows from (json_to_recordset(p_members) as (place int, event_ref text)) with ordinality as m (place, event_ref, ord)
  ), event as (
    select e.place, e.event_ref, min(e.ord) as ord,
           exists (select from carillon.digest_members x
                   where x.tenant_id = p_tenant and x.digest_id = digest_ids[e.place] and x.event_ref = e.event_ref) as known
    from member e group by e.place, e.event_ref
  ), numbered as (
    select e.*, sizes[e.place] as size, row_number() over (partition by e.place, e.known order by e.ord) - 1 as before
    from event e
  ), placed as (
    select n.place, n.event_ref, not n.known as fresh,
           case when n.known then 0 else (least(counts[n.place], n.size) + n.before) / n.size end as part
    from numbered n
  ), further as (
    select p.place, p.part, p_ids[cardinality(digest_ids) + (row_number() over (order by p.place, p.part))::int] as id
    from (select distinct p.place, p.part from placed p where p.part > 0) p
  ), target as (
    select p.place, p.event_ref, p.fresh, coalesce(f.id, digest_ids[p.place]) as id
    from placed p left join further f on f.place = p.place and f.part = p.part
  )
  select array_agg(t.id), array_agg(t.event_ref), array_agg(t.place), array_agg(t.fresh)
  into m_digests, m_events, m_places, m_fresh
  from target t;

  -- What is full makes room for the next one, so it goes first.
  update carillon.digests d
  set count = f.count, state = case when f.count >= f.size then 'full' else 'open' end,
      close_reason = case when f.count >= f.size then 'size' else d.close_reason end,
      closes_at = case when f.count >= f.size then least(d.closes_at, p_now) else d.closes_at end
  from (
    select o.id, o.size, o.count + count(m.id)::int as count
    from unnest(digest_ids, counts, sizes) as o (id, count, size)
    left join unnest(m_digests, m_fresh) as m (id, fresh) on m.id = o.id and m.fresh
    group by o.id, o.size, o.count
  ) f
  where d.tenant_id = p_tenant and d.id = f.id;

  insert into carillon.digests (tenant_id, id, recipient_id, recipient, key, kind, policy, timezone, opened_at, closes_at, longest_at, size,
    count, state, close_reason)
  select p_tenant, n.id, g.recipient_id, g.recipient, g.key, g.kind, g.policy, g.timezone, p_now,
         case when n.count >= g.size then p_now else g.closes_at end, g.longest_at, g.size, n.count,
         case when n.count >= g.size then 'full' else 'open' end, case when n.count >= g.size then 'size' end
  from (select m.id, m.place, count(*)::int as count from unnest(m_digests, m_places) as m (id, place)
        where m.id <> digest_ids[m.place] group by m.id, m.place) n
  cross join lateral jsonb_to_record(p_groups -> (n.place - 1)) as g (recipient_id text, recipient jsonb, key text, kind text, policy jsonb,
    timezone text, closes_at timestamptz, longest_at timestamptz, size int);

  with member as (
    select m.*
    from rows from (json_to_recordset(p_members) as (place int, event_ref text, notification_id uuid, item jsonb, said jsonb, resolved boolean))
      with ordinality as m (place, event_ref, notification_id, item, said, resolved, ord)
  ), folded as (
    select t.id, m.notification_id, t.event_ref, m.item, m.said, m.resolved, m.ord
    from unnest(m_digests, m_events, m_places) as t (id, event_ref, place)
    join member m on m.place = t.place and m.event_ref = t.event_ref
  ), stored as (
    insert into carillon.digest_members as x (tenant_id, digest_id, event_ref, notification_ids, item, said, at, resolved)
    select p_tenant, f.id, f.event_ref, array_agg(f.notification_id order by f.ord), (array_agg(f.item order by f.ord desc))[1],
           (array_agg(f.said order by f.ord desc))[1], p_now, (array_agg(f.resolved order by f.ord desc))[1]
    from folded f group by f.id, f.event_ref
    on conflict (tenant_id, digest_id, event_ref) do update set
      notification_ids = x.notification_ids || excluded.notification_ids, item = excluded.item, said = excluded.said, at = excluded.at,
      resolved = excluded.resolved, flushed_at = case when x.resolved = excluded.resolved then x.flushed_at end
  )
  update carillon.notifications n set digest_id = f.id
  from folded f
  where n.tenant_id = p_tenant and n.id = f.notification_id
    and n.id between (select i.notification_id from folded i order by i.notification_id limit 1)
                 and (select i.notification_id from folded i order by i.notification_id desc limit 1);

  perform carillon.append_events(p_tenant, p_batch, p_now, p_events);
end
$$;
grant execute on function carillon.fold_members(uuid, timestamptz, jsonb, json, uuid[], uuid, json) to carillon_worker;
