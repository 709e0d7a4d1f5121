import { setImmediate } from 'node:timers/promises'

/** Lets what else waits in this process (requests, answers of the database, other tenants' chunks) go first. For long calculations. */
export async function nextTurn(): Promise<void> {
  await setImmediate()
}
