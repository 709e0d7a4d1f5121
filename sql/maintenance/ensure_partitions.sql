-- Make the daily partitions ahead: $1 now, $2 days. Called by: maintenance/partitions.ts.
select carillon.ensure_partitions($1::timestamptz, $2::int) as name
