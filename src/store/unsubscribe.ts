import { undefinedCategory } from '../domain/category.ts'
import type { UnsubscribeSubject } from '../domain/unsubscribe-token.ts'
import type { Queryable } from '../platform/db.ts'
import { findCategory } from './categories.ts'
import { addConsent, lastConsent } from './consents.ts'
import { changePreferences } from './preferences.ts'

/** `required`: nobody can switch the category off. */
export type Unsubscribed = 'done' | 'required'

/** Whether a category can be unsubscribed from, and what readers are told it is. */
export async function describeCategory(
  on: Queryable,
  { tenantId, category }: UnsubscribeSubject,
): Promise<{ required: boolean; marketing: boolean; description?: string }> {
  const row = await findCategory(on, tenantId, category)
  return row ? { ...row, description: row.description ?? undefined } : undefinedCategory(category)
}

/**
 * Ends a category for a recipient, in a transaction of the API for the tenant: consent to marketing is withdrawn, and of
 * any other the preference is set. Done again, it changes nothing.
 */
export async function unsubscribe(trx: Queryable, subject: UnsubscribeSubject, now: Date): Promise<Unsubscribed> {
  const { tenantId, recipientId, category } = subject
  const { required, marketing } = await describeCategory(trx, subject)
  if (required) return 'required'
  if (marketing) {
    const last = await lastConsent(trx, tenantId, recipientId, category)
    if (last?.granted === false) return 'done'
    const word = { recipientId, category, granted: false, source: 'unsubscribe link' }
    await addConsent(trx, tenantId, word, now)
  } else {
    const patch = { categories: { [category]: { enabled: false } } }
    await changePreferences(trx, tenantId, { recipientId, patch, by: 'unsubscribe link' }, now)
  }
  return 'done'
}
