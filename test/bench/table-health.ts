import type pg from 'pg'

/** Dead rows of all tables, as Postgres counts them. */
export async function readDeadTuples(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ dead: number }>(
    'select coalesce(sum(n_dead_tup), 0)::float8 as dead from pg_stat_user_tables',
  )
  return rows[0]!.dead
}
