-- Drop the daily partitions past their retention: $1 now. Called by: maintenance/partitions.ts.
select partition_name, dropped, kept_because from carillon.drop_expired_partitions($1::timestamptz)
