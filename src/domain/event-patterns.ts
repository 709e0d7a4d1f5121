import { eventTypes } from './event-types.ts'

/**
 * Whether a pattern covers a type. A pattern is a type in which `*` may stand for a segment, or as the last one for all
 * that follow: `notification.email.*`, `notification.*.failed`, `*`.
 */
export function coversType(pattern: string, type: string): boolean {
  const wanted = pattern.split('.')
  const segments = type.split('.')
  const isOpen = wanted.at(-1) === '*'
  if (isOpen ? segments.length < wanted.length : segments.length !== wanted.length) return false
  return wanted.every((segment, place) => segment === '*' || segment === segments[place])
}

/** Whether there is a type that the pattern covers: one that covers none is a slip of the pen. */
export const isEventPattern = (pattern: string): boolean => eventTypes.some(({ type }) => coversType(pattern, type))

/** Whether one of the patterns covers a type; it remembers, for events come by the thousand and types do not. */
export function createTypeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const known = new Map<string, boolean>()
  return (type) => {
    let covered = known.get(type)
    if (covered === undefined) {
      covered = patterns.some((pattern) => coversType(pattern, type))
      known.set(type, covered)
    }
    return covered
  }
}
