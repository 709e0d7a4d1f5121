import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findHighest, isSustained } from './phases.ts'

for (const [limit, found, trials] of [
  [10_400, 10_000, 4],
  [9_700, 9_500, 3],
  [6_200, 6_000, 5],
  [100_000, 13_000, 5],
] as const) {
  test(`the highest rate under ${limit}, looked for around 10,000, is found as ${found}`, async () => {
    const { best, tried } = await findHighest(
      10_000,
      async (rate) => rate,
      (rate) => rate <= limit,
    )
    assert.deepEqual([best, tried.length], [found, trials])
  })
}

test('where no rate holds, none is found', async () => {
  const { best } = await findHighest(
    10_000,
    async (rate) => rate,
    () => false,
  )
  assert.equal(best, undefined)
})

test('a rate is sustained by what it leaves behind, measured by the length of its phase', () => {
  assert.deepEqual([isSustained(3, 250, 250), isSustained(3, 350, 0), isSustained(3, 0, 350)], [true, false, false])
  assert.deepEqual(
    [isSustained(60, 900, 1_900), isSustained(60, 1_100, 0), isSustained(60, 0, 2_100)],
    [true, false, false],
  )
})
