-- Take digests that are due, and groups of alerts that are to be looked at: $1 now, $2 how many at most, $3 how many members about.
-- Called by: store/closing-digests.ts, in the transaction that closes them. Those that another closes, or folds into just now, are passed
--   over: they are due still, or taken.
-- Index:     digests_due. Locks: the digests, until the end of the transaction.
with due as materialized (
  select d.tenant_id, d.id, d.recipient_id, d.recipient, d.key, d.kind, d.policy, d.timezone, d.opened_at, d.flushed_at, d.count, d.close_reason,
         d.closes_at
  from carillon.digests d
  where d.state <> 'closed' and d.closes_at <= $1::timestamptz
  order by d.closes_at
  limit $2::int
  for update skip locked
)
select s.tenant_id, s.id, s.recipient_id, s.recipient, s.key, s.kind, s.policy, s.timezone, s.opened_at, s.flushed_at, s.close_reason
from (select due.*, sum(due.count) over (order by due.closes_at, due.id) - due.count as before from due) s
where s.before < $3::bigint
order by s.closes_at, s.id
