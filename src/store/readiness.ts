import { readdirSync } from 'node:fs'
import type pg from 'pg'

export interface Readiness {
  ok: boolean
  checks: Record<string, { ok: boolean; detail?: string }>
}

const shipped = readdirSync(new URL('../../migrations', import.meta.url))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))

/** Whether this process can do its work: the database answers, has this release's migrations, and the queue is there. */
export async function checkReadiness(pool: pg.Pool): Promise<Readiness> {
  try {
    const { rows } = await pool.query<{ missing: string[]; queues: number; version: string }>({
      name: 'readiness',
      text: `select array(select unnest($1::text[]) except select name from carillon.migrations) as missing,
                    (select count(*)::int from pgboss.queue) as queues, current_setting('server_version') as version`,
      values: [shipped],
    })
    const { missing, queues } = rows[0]!
    const migrated = missing.length === 0
    return {
      ok: migrated && queues > 0,
      checks: {
        database: { ok: true },
        migrations: migrated ? { ok: true } : { ok: false, detail: `${missing.length} to apply: run carillon migrate` },
        queue: queues > 0 ? { ok: true } : { ok: false, detail: 'no queues: run carillon migrate' },
      },
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    const unmigrated = code === '42P01' || code === '3F000' || code === '42501'
    return {
      ok: false,
      checks: unmigrated
        ? { database: { ok: true }, migrations: { ok: false, detail: 'none applied: run carillon migrate' } }
        : { database: { ok: false, detail: `does not answer (${code})` } },
    }
  }
}
