/**
 * Gives what has come since the last batch was taken, at least one and at most `most` together. What is beyond waits
 * where it comes from, so that a slow reader is seen to be slow there.
 */
export async function* inBatches<T>(source: AsyncIterable<T>, most: number): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    for (;;) {
      const first = await next
      if (first.done) return
      const batch = [first.value]
      next = iterator.next()
      next.catch(() => {}) // thrown when it is awaited
      while (batch.length < most) {
        const step = await Promise.race([next, endOfTurn()])
        if (!step || step.done) break
        batch.push(step.value)
        next = iterator.next()
        next.catch(() => {})
      }
      yield batch
    }
  } finally {
    await iterator.return?.()
  }
}

/** After everything that is there already has been given. */
const endOfTurn = () => new Promise<undefined>((resolve) => process.nextTick(resolve, undefined))
