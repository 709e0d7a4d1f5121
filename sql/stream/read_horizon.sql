-- The horizon: every transaction below it has ended, so what it wrote is there for good or never will be.
-- Called by: pipeline/stream/read-events.ts, in the transaction of read_status_events and before it, so that the events
--            are read with a horizon at least as high as the one answered here.
-- Plan:      the settings hold until the end of the transaction and keep read_status_events on its index: one generic
--            plan (planning anew takes six times as long as the read), never a sort of the whole backlog.
select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
       set_config('plan_cache_mode', 'force_generic_plan', true) as plan,
       set_config('enable_sort', 'off', true) as sort,
       set_config('enable_seqscan', 'off', true) as seqscan,
       set_config('enable_bitmapscan', 'off', true) as bitmapscan,
       set_config('max_parallel_workers_per_gather', '0', true) as parallel
