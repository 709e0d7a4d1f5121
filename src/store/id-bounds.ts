import { lastIdOf } from '../domain/ids.ts'

/** The least and the greatest of some ids: as parameters of their own they let Postgres leave out partitions. */
export function idBounds(ids: readonly string[]): [least: string, greatest: string] {
  let least = ids[0] ?? ''
  let greatest = least
  for (const id of ids) {
    if (id < least) least = id
    if (id > greatest) greatest = id
  }
  return [least, greatest]
}

/** The stories of some notifications: first ids, last ids, and the bounds of them all. */
export function storyBounds(
  notificationIds: readonly string[],
): [first: readonly string[], last: string[], least: string, greatest: string] {
  const [least, greatest] = idBounds(notificationIds)
  return [notificationIds, notificationIds.map(lastIdOf), least, lastIdOf(greatest)]
}
