import type pg from 'pg'
import type { Category } from '../../domain/category.ts'
import { createUnsubscribeTokens, type UnsubscribeTokens } from '../../domain/unsubscribe-token.ts'
import { loadSigningKeys } from '../../store/signing-keys.ts'

/** The link by which a recipient unsubscribes from a category; undefined where it is required, or a header could not hold it. */
export type LinkOf = (recipientId: string, category: string) => string | undefined

export interface UnsubscribeLinks {
  /** For the mails of one chunk. */
  of(tenantId: string): Promise<LinkOf | undefined>
}

const longestUrl = 900 // a line of a mail has 998 characters at most

/** Settings tell of the categories that nobody can switch off. */
export function createUnsubscribeLinks(on: {
  /** Role carillon_worker. */
  pool: pg.Pool
  /** undefined: nobody knows how we are reached, and there are no links. */
  publicUrl(): string | undefined
  settings: { of(tenantId: string): Promise<{ categories: ReadonlyMap<string, Pick<Category, 'required'>> }> }
}): UnsubscribeLinks {
  let tokens: UnsubscribeTokens | undefined
  return {
    async of(tenantId) {
      const publicUrl = on.publicUrl()
      if (publicUrl === undefined) return undefined
      tokens ??= createUnsubscribeTokens(await loadSigningKeys(on.pool, 'unsubscribe'))
      const { sign } = tokens
      const base = `${publicUrl.replace(/\/+$/, '')}/u/`
      const { categories } = await on.settings.of(tenantId)
      return (recipientId, category) => {
        if (categories.get(category)?.required) return undefined
        const url = base + sign({ tenantId, recipientId, category })
        return url.length > longestUrl ? undefined : url
      }
    },
  }
}
