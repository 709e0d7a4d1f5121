-- Drop one day of one table, or say why not: $1 table, $2 day, $3 now. Called by: maintenance/partitions.ts.
select carillon.drop_partition($1::text, $2::date, $3::timestamptz) as kept_because
