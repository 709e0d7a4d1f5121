/** Stored as small numbers, greater is sooner; pg-boss orders by the same numbers. */
export const priorities = { LOW: 0, NORMAL: 1, HIGH: 2, CRITICAL: 3 } as const

export type Priority = keyof typeof priorities

const names = Object.keys(priorities) as Priority[]

export function priorityName(value: number): Priority {
  return names[value] ?? 'NORMAL'
}

/** A lane is a queue and workers of its own: CRITICAL never stands behind bulk. */
export type Lane = 'critical' | 'bulk'

export function laneOf(priority: number): Lane {
  return priority === priorities.CRITICAL ? 'critical' : 'bulk'
}
