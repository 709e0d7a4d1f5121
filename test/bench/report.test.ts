import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratiosOf } from './ratios.ts'
import { markdownTable } from './report.ts'
import type { ScenarioResult } from './scenario.ts'

const jobs = (perSecond: number | null, more: object = {}): ScenarioResult => ({
  unit: 'jobs',
  perSecond,
  remark: '',
  ...more,
})

test('a ratio is ours over theirs, and null where one of the two was not measured', () => {
  const results = {
    pipeline: jobs(6_000),
    'pg-boss': jobs(24_000, { oneByOne: { perSecond: 1_000 } }),
    bullmq: jobs(null),
  }
  assert.deepEqual(ratiosOf(results), {
    pgBoss: 0.25,
    graphileWorker: null,
    bullmq: null,
    copyFloor: null,
    oneByOne: { pgBoss: 6, pgBossInBatches: null, graphileWorker: null, bullmq: null },
  })
  assert.equal(ratiosOf({ 'pg-boss': jobs(1) }).pgBoss, null)
})

test('the table is Markdown: a line for each scenario, and below it one for each of its parts', () => {
  const result = jobs(5, { p50Ms: 1.5, startP50Ms: 1, startP95Ms: 2, startP99Ms: 3, more: [{ name: 'a part' }] })
  const table = markdownTable({ pipeline: result, bullmq: jobs(null, { remark: 'not measured' }) }, ratiosOf({}))
  const cells = table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  assert.deepEqual(
    cells.map(([, name, rate]) => [name, rate]),
    [
      ['scenario', 'per second'],
      [cells[1]![1], cells[1]![2]],
      ['`pipeline`', '5 jobs'],
      ['… until the provider', ''],
      ['… a part', ''],
      ['`bullmq`', ''],
    ],
  )
  assert.ok(new Set(cells.map((line) => line.length)).size === 1, 'every line has as many cells')
})
