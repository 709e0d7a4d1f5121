import { type Queryable, run, type Statement } from '../platform/db.ts'

/** Whose data key: a recipient of a tenant. */
export interface Subject {
  tenantId: string
  recipientId: string
}

export interface SubjectKeyRow extends Record<string, unknown> {
  tenant_id: string
  recipient_id: string
  /** Null once it is erased, until something new is to be told of this person. */
  key_id: string | null
  wrapped_key: Buffer | null
  wrapped_by: string | null
  erased_at: Date | null
}

const columns = 'k.tenant_id, k.recipient_id, k.key_id, k.wrapped_key, k.wrapped_by, k.erased_at'

const loadSql: Statement = {
  name: 'subject_keys_load',
  text: `select ${columns} from unnest($1::uuid[], $2::text[]) as s (tenant_id, recipient_id)
  join carillon.subject_keys k on k.tenant_id = s.tenant_id and k.recipient_id = s.recipient_id`,
}

export async function loadSubjectKeys(on: Queryable, subjects: readonly Subject[]): Promise<SubjectKeyRow[]> {
  return run(on, loadSql, [subjects.map(({ tenantId }) => tenantId), subjects.map(({ recipientId }) => recipientId)])
}

export interface NewSubjectKey extends Subject {
  keyId: string
  wrapped: Buffer
  wrappedBy: string
}

// Of two that make a key for one person at the same time the first one's is kept, and both get to know it.
const createSql: Statement = {
  name: 'subject_keys_create',
  text: `insert into carillon.subject_keys as k (tenant_id, recipient_id, key_id, wrapped_key, wrapped_by, created_at)
  select *, $6::timestamptz from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::text[])
  on conflict (tenant_id, recipient_id) do update
    set key_id = coalesce(k.key_id, excluded.key_id), wrapped_by = coalesce(k.wrapped_by, excluded.wrapped_by),
        wrapped_key = coalesce(k.wrapped_key, excluded.wrapped_key),
        created_at = case when k.key_id is null then excluded.created_at else k.created_at end
  returning ${columns}`,
}

/** Keeps keys for those who have none, and gives back whichever they have then. */
export async function createSubjectKeys(
  on: Queryable,
  keys: readonly NewSubjectKey[],
  now: Date,
): Promise<SubjectKeyRow[]> {
  return run(on, createSql, [
    keys.map(({ tenantId }) => tenantId),
    keys.map(({ recipientId }) => recipientId),
    keys.map(({ keyId }) => keyId),
    keys.map(({ wrapped }) => wrapped),
    keys.map(({ wrappedBy }) => wrappedBy),
    now,
  ])
}

const findSql: Statement = {
  name: 'subject_keys_find',
  text: `select ${columns} from carillon.subject_keys k where k.tenant_id = $1::uuid and k.key_id = $2::uuid`,
}

export async function findSubjectKey(
  on: Queryable,
  tenantId: string,
  keyId: string,
): Promise<SubjectKeyRow | undefined> {
  return (await run<SubjectKeyRow>(on, findSql, [tenantId, keyId]))[0]
}

const eraseSql: Statement = {
  name: 'subject_keys_erase',
  text: `insert into carillon.subject_keys as k (tenant_id, recipient_id, created_at, erased_at)
  values ($1::uuid, $2::text, $3::timestamptz, $3::timestamptz)
  on conflict (tenant_id, recipient_id) do update
    set key_id = null, wrapped_key = null, wrapped_by = null, erased_at = excluded.erased_at`,
}

/**
 * Forgets a person's data key: what was published under it is unreadable from now on, wherever it lies, and nothing that
 * happened until now is published with addresses or content again. It can be repeated, and comes before the first key, too.
 */
export async function eraseSubjectKey(on: Queryable, { tenantId, recipientId }: Subject, now: Date): Promise<void> {
  await run(on, eraseSql, [tenantId, recipientId, now])
}
