import type { Preferences } from './preferences.ts'

/**
 * Reads preferences as they stand in the database, where they were judged before they were written. Their shape is that of
 * `Preferences`, with moments as text.
 */
export function parsePreferences(document: unknown): Preferences {
  if (typeof document !== 'object' || document === null) return {}
  const { pausedUntil, ...said } = document as Omit<Preferences, 'pausedUntil'> & { pausedUntil?: string }
  return pausedUntil === undefined ? said : { ...said, pausedUntil: new Date(pausedUntil) }
}
