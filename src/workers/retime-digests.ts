import type pg from 'pg'
import { digestTimes, type Fold } from '../domain/digest.ts'
import { inTransaction, type Queryable } from '../platform/db.ts'
import { type MovedDigest, moveDigests, type RetimedDigest, takeRetimedDigests } from '../store/retimed-digests.ts'

/**
 * In which digests the newest members of these would wait by what people say now; those that would wait in none are left out,
 * and their digests closed at once. A digest without a member is not asked for.
 */
export type Refold = (
  trx: Queryable,
  tenantId: string,
  digests: readonly RetimedDigest[],
  now: Date,
) => Promise<ReadonlyMap<string, Fold>>

export interface RetimeDigestsDeps {
  pool: pg.Pool
  /** Absent: the policies stay, and only zones are looked at. */
  refold?: Refold
  atOnce?: number
}

/** Moves digests whose recipients have changed their zone or their preferences. Gives how many were looked at. */
export async function retimeDigests(on: RetimeDigestsDeps, now: Date): Promise<number> {
  const atOnce = on.atOnce ?? 500
  let looked = 0
  for (;;) {
    const count = await inTransaction(on.pool, async (trx) => {
      const digests = await takeRetimedDigests(trx, atOnce)
      if (digests.length > 0) await moveDigests(trx, await movedOf(on, trx, digests, now))
      return digests.length
    })
    looked += count
    if (count < atOnce) return looked
  }
}

async function movedOf(
  on: RetimeDigestsDeps,
  trx: Queryable,
  digests: readonly RetimedDigest[],
  now: Date,
): Promise<MovedDigest[]> {
  const moved: MovedDigest[] = []
  for (const [tenantId, own] of Map.groupBy(digests, (digest) => digest.tenantId)) {
    const waiting = own.filter(isWaiting)
    const folds = waiting.length > 0 ? await on.refold?.(trx, tenantId, waiting, now) : undefined
    for (const digest of own) {
      const fold = folds ? folds.get(digest.id) : { key: digest.key, policy: digest.policy }
      moved.push(isWaiting(digest) ? move(digest, fold, now) : { digest, closesAt: digest.closesAt })
    }
  }
  return moved
}

/** A group's times are its rule's, and what is asked for or full is closed anyway. */
const isWaiting = ({ kind, state, closeReason, newest }: RetimedDigest) =>
  kind === 'digest' && state === 'open' && closeReason === undefined && newest !== undefined

/** One that would wait in another digest by now is closed: its next members go there. */
function move(digest: RetimedDigest, fold: Fold | undefined, now: Date): MovedDigest {
  if (fold?.key !== digest.key || fold.group) return { digest, closesAt: now }
  if (fold.policy.recurrence) {
    return { digest, closesAt: digestTimes(fold.policy, digest.timezone, now).closesAt, policy: fold.policy }
  }
  const isSliding = fold.policy.sliding === true
  const from = isSliding ? (digest.newest?.at ?? digest.openedAt) : digest.openedAt
  const { closesAt } = digestTimes(fold.policy, digest.timezone, from)
  const { longestAt } = isSliding ? digestTimes(fold.policy, digest.timezone, digest.openedAt) : {}
  const wanted = longestAt && longestAt < closesAt ? longestAt : closesAt
  return { digest, closesAt: wanted < now ? now : wanted, policy: fold.policy }
}
