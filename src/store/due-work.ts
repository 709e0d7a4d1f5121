import { type Queryable, run, type Statement } from '../platform/db.ts'

const dueSql: Statement = {
  name: 'due_work',
  text: `select
    exists (select from carillon.snoozes s where s.until <= $1::timestamptz) as snoozes,
    exists (select from carillon.digests d where d.retime) as retimed,
    exists (select from carillon.digests d where d.state <> 'closed' and d.closes_at <= $1::timestamptz) as digests,
    exists (select from carillon.schedules s where s.enabled and s.next_at <= $1::timestamptz) as schedules`,
}

/** Of which kinds something has fallen due, of any tenant. */
export type DueWork = Record<'snoozes' | 'retimed' | 'digests' | 'schedules', boolean>

/** One look for all that falls due by the clock, so that a process with nothing to do asks one thing of the database. */
export async function findDueWork(on: Queryable, now: Date): Promise<DueWork> {
  const [due] = await run<DueWork>(on, dueSql, [now])
  return due!
}
