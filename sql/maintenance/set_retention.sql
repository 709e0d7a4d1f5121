-- How many days are kept: $1 flow tables, $2 audit log, $3 inbox, $4 idempotency keys. Called by: maintenance/partitions.ts.
update carillon.partitioned_tables t
set retention_days = case t.name when 'audit_batches' then $2::int when 'inbox_items' then $3::int when 'idempotency_keys' then $4::int else $1::int end
