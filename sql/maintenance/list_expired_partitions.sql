-- The daily partitions past their retention, the oldest first: $1 now. Called by: maintenance/partitions.ts.
select p.table_name, p.partition_name, p.day::text as day
from carillon.partitions p
where p.day < ($1::timestamptz at time zone 'UTC')::date - p.retention_days
order by p.day, p.table_name
