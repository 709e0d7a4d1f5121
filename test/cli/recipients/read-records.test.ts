import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type FileRecord, formatOf, readRecords } from '../../../src/cli/recipients/read-records.ts'

const folder = await mkdtemp(join(tmpdir(), 'carillon-records-'))
after(() => rm(folder, { recursive: true, force: true }))
let files = 0

async function read(name: 'csv' | 'ndjson', text: string | Buffer): Promise<FileRecord[]> {
  const path = join(folder, `${files++}.${name}`)
  await writeFile(path, text)
  const found: FileRecord[] = []
  for await (const record of readRecords(path, name, () => undefined)) found.push(record)
  return found
}
const said = (records: FileRecord[]) => records.map(({ line, said, fault }) => [line, fault ?? said])

describe('a CSV file', () => {
  it('gives its lines with their numbers, over cells of several lines and empty lines', async () => {
    const records = await read('csv', '\ufeffid,name\r\na,"two\nlines"\r\n\r\nb,"say ""hi"""\r\nc,x\r\n')
    assert.deepEqual(said(records), [
      [2, { id: 'a', name: 'two\nlines' }],
      [5, { id: 'b', name: 'say "hi"' }],
      [6, { id: 'c', name: 'x' }],
    ])
    assert.ok(records.every(({ bytes }, index) => index === 0 || bytes > records[index - 1]!.bytes))
  })

  for (const [name, delimiter] of [
    ['commas', ','],
    ['semicolons', ';'],
    ['tabs', '\t'],
    ['bars', '|'],
  ]) {
    it(`may part its cells by ${name}`, async () => {
      const text = ['id,name,email', 'a,"x,;|",a@b.c'].map((line) => line.replaceAll(/,(?!;)/g, delimiter!)).join('\n')
      assert.deepEqual(said(await read('csv', text)), [[2, { id: 'a', name: 'x,;|', email: 'a@b.c' }]])
    })
  }

  it('may have lines that are too short or too long, and goes on behind them', async () => {
    assert.deepEqual(said(await read('csv', 'id,name\na\nb,x,y\nc,z')), [
      [2, 'has 1 values where the header has 2'],
      [3, 'has 3 values where the header has 2'],
      [4, { id: 'c', name: 'z' }],
    ])
  })

  it('is told by its line where a quote is never closed', async () => {
    await assert.rejects(read('csv', 'id,name\na,x\nb,"open\nc,y\n'), {
      code: 'FILE_BROKEN',
      message: /csv:3: a quote/,
    })
    await assert.rejects(read('csv', `id,name\na,"${'x\n'.repeat(1_000_000)}`), {
      code: 'FILE_BROKEN',
      message: /csv:2: /,
    })
  })

  it('that is empty says so', async () => {
    await assert.rejects(read('csv', ''), { code: 'FILE_EMPTY' })
    assert.deepEqual(await read('csv', 'id,name\n'), [])
  })
})

describe('an NDJSON file', () => {
  it('gives its lines with their numbers', async () => {
    const records = await read('ndjson', '\ufeff{"id":"a"}\r\n\n  \n{"id":"b"}')
    assert.deepEqual(said(records), [
      [1, { id: 'a' }],
      [4, { id: 'b' }],
    ])
    assert.equal(records.at(-1)!.bytes, Buffer.byteLength('\ufeff{"id":"a"}\r\n\n  \n{"id":"b"}'))
  })

  it('may have lines that are nothing of the kind, and goes on behind them', async () => {
    assert.deepEqual(said(await read('ndjson', 'nonsense\n[1]\nnull\n1\n{"id":"a"}\n')), [
      [1, 'is not JSON'],
      [2, 'is not a JSON object'],
      [3, 'is not a JSON object'],
      [4, 'is not a JSON object'],
      [5, { id: 'a' }],
    ])
  })

  it('is read in bounded memory, however long a line is', async () => {
    const long = `{"id":"${'x'.repeat(3_000_000)}"}`
    assert.deepEqual(said(await read('ndjson', `${long}\n{"id":"a"}\n${long}`)), [
      [1, 'is longer than 1 MiB'],
      [2, { id: 'a' }],
      [3, 'is longer than 1 MiB'],
    ])
  })

  it('whose lines are parted by the pieces that are read is whole', async () => {
    const lines = Array.from({ length: 20_000 }, (_one, n) => JSON.stringify({ id: `ü${n}`, name: 'y'.repeat(n % 50) }))
    const records = await read('ndjson', lines.join('\n'))
    assert.deepEqual(
      records.map((record) => JSON.stringify(record.said)),
      lines,
    )
  })
})

it('the format is known by the name of the file', () => {
  assert.deepEqual(['a.csv', 'a.TSV', 'a.ndjson', 'a.jsonl', 'a.xlsx', 'a'].map(formatOf), [
    'csv',
    'csv',
    'ndjson',
    'ndjson',
    undefined,
    undefined,
  ])
})
