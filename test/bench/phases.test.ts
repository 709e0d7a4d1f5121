import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findHighest, isSustained } from './phases.ts'

for (const [limit, found, trials] of [
  [10_400, 10_000, 4],
  [9_700, 9_500, 4],
  [6_200, 6_000, 5],
  [100_000, 17_000, 5],
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

const left = (drainMs: number, relayLagMs: number, refusals = 0) => ({ drainMs, relayLagMs, refusals })

for (const [seconds, behind, expected] of [
  [3, left(250, 250), true],
  [3, left(350, 0), false],
  [3, left(0, 350), false],
  [3, left(0, 0, 1), false],
  [60, left(900, 1_900), true],
  [60, left(1_100, 0), false],
  [60, left(0, 2_100), false],
] as const) {
  test(`after ${seconds} s, ${JSON.stringify(behind)} left is ${expected ? '' : 'not '}sustained`, () => {
    assert.equal(isSustained(seconds, behind), expected)
  })
}
