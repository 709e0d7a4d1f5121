import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type pg from 'pg'
import { plainArray, textArray } from '../../src/platform/sql-array.ts'
import { testDatabase } from '../support/database.ts'

let client: pg.Pool

before(async () => {
  client = (await testDatabase()).pool()
})

test('every text comes back from Postgres as it was', async () => {
  const texts = [
    'plain',
    '',
    ' ',
    'NULL',
    'null',
    '{}',
    '{a,b}',
    'a,b',
    '"',
    '\\',
    '\\"',
    "it's",
    'a\nb\tc',
    'ü 🔔',
    undefined,
    'a:b@c.d+e-f_g',
  ]
  const { rows } = await client.query('select $1::text[] as back', [textArray(texts, (text) => text)])
  assert.deepEqual(
    rows[0].back,
    texts.map((text) => text ?? null),
  )
})

test('ids, numbers, booleans and times need no quotes', async () => {
  const at = '2026-11-20T12:00:00.123Z'
  const { rows } = await client.query(
    'select $1::int[] as ints, $2::bool[] as bools, $3::timestamptz[] as times, $4::uuid[] as ids',
    [
      plainArray([1, undefined, -3], (value) => value),
      plainArray([true, false], (value) => value),
      plainArray([at, null], (value) => value),
      plainArray(['0190a1b2-c3d4-7000-8000-000000000000'], (value) => value),
    ],
  )
  assert.deepEqual(rows[0], {
    ints: [1, null, -3],
    bools: [true, false],
    times: [new Date(at), null],
    ids: ['0190a1b2-c3d4-7000-8000-000000000000'],
  })
})

test('a column of nulls is empty, and unnest fills it', async () => {
  const { rows } = await client.query('select a, b from unnest($1::int[], $2::text[]) as r (a, b)', [
    plainArray([1, 2], (value) => value),
    textArray([1, 2], () => undefined),
  ])
  assert.deepEqual(rows, [
    { a: 1, b: null },
    { a: 2, b: null },
  ])
})
