/** Where every moment comes from, so that tests can stand at any of them. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }
