-- Fold members into digests: $1 tenant, $2 now, $3 groups, $4 members, $5 fresh ids, $6 id of the batch of events, $7 the events.
-- See sql/api/45_fold_members.sql.
-- Called by: pipeline/plan/fold-members.ts, in the transaction that plans the chunk.
select carillon.fold_members($1::uuid, $2::timestamptz, $3::jsonb, $4::json, $5::uuid[], $6::uuid, json_strip_nulls($7::json))
