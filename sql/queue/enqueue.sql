-- Put jobs on their queues: $1 [{queue, data, priority, start_after}]. See sql/api/10_enqueue.sql.
-- Called by: queue/enqueue.ts, in the transaction of whatever made the work.
select carillon.enqueue($1::json)
