import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions } from './options.ts'
import { usualNames } from './scenarios.ts'

test('no name means every usual scenario, and names keep the order of the run', () => {
  const all = readOptions(['--quick'])
  const two = readOptions(['copy-floor', 'pipeline', '--no-kafka', '--rate', '3000'])
  assert.ok(all !== 'help' && two !== 'help')
  assert.deepEqual([all.scenarios, all.rate, all.rounds], [usualNames, 5_000, 1])
  assert.deepEqual([two.scenarios, two.rate, two.kafka, two.rounds], [['pipeline', 'copy-floor'], 3_000, false, 3])
})

for (const argv of [['nonsense'], ['--rate', '0'], ['--seconds', 'long'], ['--transport', 'pigeon'], ['--unknown']]) {
  test(`refused: ${argv.join(' ')}`, () => {
    assert.throws(
      () => readOptions(argv),
      (error) => error instanceof TypeError || error instanceof RangeError,
    )
  })
}
