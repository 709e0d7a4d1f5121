-- Hand a table's partitions of days that are over to autovacuum: $1 table, $2 now. Called by: maintenance/partitions.ts.
select carillon.end_day($1::text, $2::timestamptz) as name
