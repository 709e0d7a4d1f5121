import { type Queryable, run, type Statement } from '../platform/db.ts'

const loadSql: Statement = {
  name: 'signing_keys_load',
  text: `select k.id, k.key from carillon.signing_keys k where k.purpose = $1::text`,
}

/** The keys of a purpose by their ids, the greatest being the newest. They are made with the database, and never leave the service. */
export async function loadSigningKeys(on: Queryable, purpose: 'unsubscribe'): Promise<Map<number, Buffer>> {
  const rows = await run<{ id: number; key: Buffer }>(on, loadSql, [purpose])
  return new Map(rows.map(({ id, key }) => [id, key]))
}
