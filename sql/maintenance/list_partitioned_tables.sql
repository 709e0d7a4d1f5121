-- The tables that are cut by day. Called by: maintenance/partitions.ts.
select t.name from carillon.partitioned_tables t order by t.name
