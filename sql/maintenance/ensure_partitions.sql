-- Make the daily partitions ahead of one table: $1 table, $2 now, $3 days. Called by: maintenance/partitions.ts.
select carillon.ensure_partitions($1::text, $2::timestamptz, $3::int) as name
