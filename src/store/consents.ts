import { type Queryable, run, type Statement } from '../platform/db.ts'

type Row<Fields> = Fields & Record<string, unknown>

export interface ConsentRow {
  category: string
  at: Date
  granted: boolean
  source: string
  wording_version: string | null
  proof: unknown
}

const addSql: Statement = {
  name: 'consents_add',
  text: `select carillon.add_consent($1::uuid, $2::text, $3::text, $4::boolean, $5::text, $6::text, $7::jsonb, $8::timestamptz,
    $9::timestamptz) as at`,
}

export interface ConsentWord {
  recipientId: string
  category: string
  granted: boolean
  source: string
  wordingVersion?: string
  proof?: unknown
  /** Absent: now, and after whatever was said before. */
  at?: Date
}

/**
 * Writes a word down, and gives the moment it is kept under. A withdrawal holds for all that was not sent before its commit; an
 * older word that is told late changes nothing.
 */
export async function addConsent(on: Queryable, tenantId: string, word: ConsentWord, now: Date): Promise<Date> {
  const { recipientId, category, granted, source, wordingVersion, proof, at } = word
  const proven = proof === undefined ? null : JSON.stringify(proof)
  const values = [tenantId, recipientId, category, granted, source, wordingVersion, proven, at, now]
  return (await run<{ at: Date }>(on, addSql, values))[0]!.at
}

const columns = 'c.category, c.at, c.granted, c.source, c.wording_version, c.proof'

const listSql: Statement = {
  name: 'consents_list',
  text: `select ${columns} from carillon.consents c
  where c.tenant_id = $1::uuid and c.recipient_id = $2::text and ($3::text is null or c.category = $3::text)
  order by c.at desc, c.category limit $4::int`,
}

/** What a recipient has said of categories, or of one, the last word first. */
export async function listConsents(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  category: string | undefined,
  limit: number,
): Promise<ConsentRow[]> {
  return run<Row<ConsentRow>>(on, listSql, [tenantId, recipientId, category, limit])
}

const lastSql: Statement = {
  name: 'consents_last',
  text: `select ${columns} from carillon.consents c
  where c.tenant_id = $1::uuid and c.recipient_id = $2::text and c.category = $3::text
  order by c.at desc limit 1`,
}

/** The word that holds; undefined where none was ever said. */
export async function lastConsent(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  category: string,
): Promise<ConsentRow | undefined> {
  return (await run<Row<ConsentRow>>(on, lastSql, [tenantId, recipientId, category]))[0]
}
