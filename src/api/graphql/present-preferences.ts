import { priorityName } from '../../domain/priority.ts'
import type { PreferenceDocument } from '../../store/preferences.ts'

/** A document of preferences as callers read it: priorities by name. */
export function presentPreferences(document: PreferenceDocument): PreferenceDocument {
  const { categories, ...rest } = withNamedPriority(document)
  if (typeof categories !== 'object' || categories === null) return rest
  const named = Object.entries(categories).map(([name, said]) => [name, withNamedPriority(said as PreferenceDocument)])
  return { ...rest, categories: Object.fromEntries(named) }
}

function withNamedPriority(said: PreferenceDocument): PreferenceDocument {
  return typeof said.minPriority === 'number' ? { ...said, minPriority: priorityName(said.minPriority) } : said
}
