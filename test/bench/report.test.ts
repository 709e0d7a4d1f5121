import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ratiosOf } from './ratios.ts'
import { markdownTable } from './report.ts'
import { type ScenarioResult, untilProvider } from './scenario.ts'

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

const cellsOf = (table: string): string[][] =>
  table
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))

const costs = {
  notifications: 1,
  cpuMicros: { all: 90.2, service: 60.1, postgres: 30.1 },
  walBytes: 900,
  commits: 0.01,
}

test('the table is Markdown: a line for each scenario, and below it one for each of its parts', () => {
  const result = jobs(5, { p50Ms: 1.5, more: [untilProvider({ p50Ms: 1, p95Ms: 2, p99Ms: 3 }), { name: 'a part' }] })
  const table = markdownTable({ pipeline: result, bullmq: jobs(null, { remark: 'not measured' }) }, ratiosOf({}))
  const cells = cellsOf(table)
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

test('a second table says what a notification cost, a line for each phase that was metered', () => {
  const table = markdownTable({ pipeline: jobs(5, { costs: { latency: costs } }), bullmq: jobs(7) }, ratiosOf({}))
  const [head, , line] = cellsOf(table).slice(-3)
  assert.deepEqual(
    Object.fromEntries(head!.map((name, column) => [name, line![column]])),
    Object.fromEntries([
      ['', ''],
      ['µs of CPU a notification', '`pipeline` latency'],
      ['all', '90'],
      ['service', '60'],
      ['postgres', '30'],
      ...['kafka', 'generator', 'sink'].map((part) => [part, '']),
      ['WAL bytes', '900'],
      ['commits', '0.01'],
    ]),
  )
})
