import type { Queryable } from '../../platform/db.ts'
import type { WrappingKey } from '../../platform/envelope.ts'
import { findSubjectKey } from '../../store/subject-keys.ts'
import { openSealed, openSubjectKey, type PersonalData } from './personal-data.ts'

/** Undefined: the message says nothing of a person, or the person was erased. */
export type OpenPersonalData = (value: Readonly<Record<string, unknown>>) => Promise<PersonalData | undefined>

/** Opens what messages of the feed say of people, as a consumer does that may. Throws CANNOT_DECRYPT without the wrapping key. */
export function createOpener(on: Queryable, wrappings: readonly WrappingKey[]): OpenPersonalData {
  return async ({ id, tenant_id, personal_key_id, personal_data }) => {
    if (typeof personal_key_id !== 'string' || typeof personal_data !== 'string') return undefined
    const [tenantId, eventId] = [String(tenant_id), String(id)]
    const row = await findSubjectKey(on, tenantId, personal_key_id)
    if (!row) return undefined
    const sealed = { keyId: personal_key_id, ciphertext: personal_data }
    return openSealed(openSubjectKey(wrappings, row), sealed, { tenantId, eventId })
  }
}
