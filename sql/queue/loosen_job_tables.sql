-- Drop what pg-boss checks of each new job and carillon.enqueue sees to: that its queue and dead letter queue are there, for which
-- every transaction locks the same two rows of pgboss.queue (as many as run at once share them by a MultiXact, written to the
-- WAL), and that a job in a queue's own table is of that queue, which its partition's bound says.
-- Called by: queue/boss.ts, at each migrate. Locks: the job tables and pgboss.queue, where there is something to drop.
do $$
declare
  constraint_of record;
begin
  for constraint_of in
    select c.conrelid::regclass as job_table, c.conname
    from pg_inherits i join pg_constraint c on c.conrelid = i.inhrelid
    where i.inhparent = 'pgboss.job'::regclass and c.conname in ('q_fkey', 'dlq_fkey', 'cjc')
  loop
    execute format('alter table %s drop constraint %I', constraint_of.job_table, constraint_of.conname);
  end loop;
end
$$
