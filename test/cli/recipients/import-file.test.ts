import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { exportRecipients } from '../../../src/cli/recipients/export-recipients.ts'
import { type ImportOptions, importFile } from '../../../src/cli/recipients/import-file.ts'
import { importFiles } from '../../../src/cli/recipients/import-state.ts'
import { asTenants } from '../../../src/platform/db.ts'
import {
  findRecipients,
  pageRecipients,
  type RecipientProfile,
  upsertRecipients,
} from '../../../src/store/recipients.ts'
import { createWorld } from '../../support/world.ts'
import { runCarillon } from '../support/carillon-process.ts'

const world = await createWorld()
const folder = await mkdtemp(join(tmpdir(), 'carillon-import-'))
after(() => rm(folder, { recursive: true, force: true }))

const write = (profiles: readonly RecipientProfile[]) =>
  asTenants(world.api, [world.tenant], (trx) => upsertRecipients(trx, world.tenant, profiles, world.clock.now()))
const find = async (id: string) => (await findRecipients(world.worker, world.tenant, [id]))[0]
const read = (path: string) => readFile(path, 'utf8').catch(() => undefined)

let files = 0
async function file(text: string, ending = 'csv'): Promise<string> {
  const path = join(folder, `${files++}.${ending}`)
  await writeFile(path, text)
  return path
}

interface Ran extends Awaited<ReturnType<typeof importFile>> {
  left?: string
}
async function run(path: string, more: Partial<ImportOptions> = {}): Promise<Ran> {
  let left: string | undefined
  const result = await importFile({
    path,
    format: path.endsWith('csv') ? 'csv' : 'ndjson',
    tenantId: world.tenant,
    ignored: [],
    batchSize: 10,
    restart: false,
    signal: new AbortController().signal,
    write,
    onBegin: (before) => {
      left = before
    },
    onProgress: () => {},
    ...more,
  })
  return { ...result, left }
}
const counts = ({ records, added, changed, same, refused, complete }: Ran) => ({
  records,
  added,
  changed,
  same,
  refused,
  complete,
})

describe('an import', () => {
  it('writes what is well, refuses what is not with its line and reason, and leaves nothing else behind', async () => {
    const path = await file('id,name,email\na,Ann,a@b.c\nb,Bo,nonsense\n"c\nc",Cy,\nd,Dee\ne,Eve,e@f.g\n')
    assert.deepEqual(counts(await run(path)), { records: 5, added: 2, changed: 0, same: 0, refused: 3, complete: true })
    const { statePath, reportPath } = importFiles(path)
    assert.equal(
      await read(reportPath),
      'line,field,reason\n3,email,is not an e-mail address\n4,id,must be one line\n6,,has 2 values where the header has 3\n',
    )
    assert.equal(await read(statePath), undefined)
    assert.deepEqual([(await find('a'))!.name, (await find('e'))!.contact_points[0]!.address], ['Ann', 'e@f.g'])
    assert.equal(await find('b'), undefined)
  })

  it('that is run again changes nothing, and one with a mended line leaves no report', async () => {
    const path = await file('id,name\nf,Flo\ng,Gus\n')
    await run(path)
    assert.deepEqual(counts(await run(path)), { records: 2, added: 0, changed: 0, same: 2, refused: 0, complete: true })
    await writeFile(path, 'id,name,zone\nf,Flo\n')
    await assert.rejects(run(path), { code: 'FILE_COLUMNS', message: /"zone"/ })
    await writeFile(path, 'id,timezone\nf,Mars/Base\n')
    assert.equal((await run(path)).refused, 1)
    await writeFile(path, 'id,timezone\nf,Asia/Tokyo\n')
    assert.deepEqual(counts(await run(path)), { records: 1, added: 0, changed: 1, same: 0, refused: 0, complete: true })
    assert.equal(await read(importFiles(path).reportPath), undefined)
    assert.deepEqual([(await find('f'))!.name, (await find('f'))!.timezone], ['Flo', 'Asia/Tokyo'])
  })

  it('leaves alone the addresses on channels that the file does not have', async () => {
    await write([
      {
        externalId: 'hal',
        contactPoints: [
          { channel: 'push', address: 't' },
          { channel: 'email', address: 'h@x.y' },
        ],
      },
    ])
    await run(await file('id,email\nhal,new@x.y\n'))
    assert.deepEqual(
      (await find('hal'))!.contact_points.map(({ address }) => address),
      ['new@x.y', 't'],
    )
  })

  it('takes the last of two lines about one recipient', async () => {
    const lines = [{ id: 'ida', name: 'first', locale: 'de' }, { id: 'jo' }, { id: 'ida', name: 'last' }]
    const result = await run(await file(lines.map((line) => JSON.stringify(line)).join('\n'), 'ndjson'))
    assert.deepEqual(counts(result), { records: 3, added: 2, changed: 1, same: 0, refused: 0, complete: true })
    assert.deepEqual([(await find('ida'))!.name, (await find('ida'))!.locale], ['last', 'de'])
  })

  it('that only tries writes the report, and no recipient', async () => {
    const path = await file('id,email\nkim,k@x.y\nlea,nonsense\n')
    assert.equal((await run(path, { write: undefined })).refused, 1)
    assert.equal(await find('kim'), undefined)
    assert.match((await read(importFiles(path).reportPath))!, /\n3,email,/)
    assert.equal(await read(importFiles(path).statePath), undefined)
  })

  it('writes what stands before a quote that is never closed', async () => {
    const path = await file('id,name\nmia,Mia\nnoa,"No\nola,Ola\n')
    await assert.rejects(run(path), { code: 'FILE_BROKEN', message: /:3: a quote/ })
    assert.equal((await find('mia'))!.name, 'Mia')
  })
})

describe('an import that is cut off', () => {
  const lines = (from: number, to: number) =>
    Array.from(
      { length: to - from },
      (_one, n) => `p${from + n},${(from + n) % 10 === 3 ? 'nonsense' : `p${from + n}@x.y`}`,
    ).join('\n')
  const people = `id,email\n${lines(0, 100)}\n`
  const report = `line,field,reason\n${[3, 13, 23, 33, 43, 53, 63, 73, 83, 93].map((n) => `${n + 2},email,is not an e-mail address\n`).join('')}`

  /** Fails at its n-th batch, before or after it is written. */
  const failing = (at: number, isWritten: boolean) => {
    let calls = 0
    return async (profiles: readonly RecipientProfile[]) => {
      if (++calls < at) return write(profiles)
      if (isWritten) await write(profiles)
      throw new Error('cut off')
    }
  }

  for (const isWritten of [false, true]) {
    it(`goes on behind the last batch, also where it ended ${isWritten ? 'after' : 'before'} its commit`, async () => {
      await world.admin.query(`delete from carillon.recipients where external_id ~ '^p\\d+$'`)
      const path = await file(people)
      await assert.rejects(run(path, { write: failing(5, isWritten) }), /cut off/)
      const again: string[] = []
      const result = await run(path, {
        write: (profiles) => {
          again.push(...profiles.map(({ externalId }) => externalId))
          return write(profiles)
        },
      })
      assert.equal(result.left, 'resumed')
      assert.equal(again[0], 'p40')
      assert.deepEqual(counts(result), {
        records: 100,
        added: isWritten ? 81 : 90, // those of the batch without an answer are as they were
        changed: 0,
        same: isWritten ? 9 : 0,
        refused: 10,
        complete: true,
      })
      assert.equal(await read(importFiles(path).reportPath), report)
      const [stored] = await world.rows(
        `select count(*)::int as n from carillon.recipients where external_id ~ '^p\\d+$'`,
      )
      assert.equal(stored!.n, 90)
    })
  }

  it('by a person ends behind a batch, and says so', async () => {
    const path = await file(people)
    const controller = new AbortController()
    const cut = await run(path, {
      signal: controller.signal,
      onProgress: ({ records }) => records >= 30 && controller.abort(),
    })
    assert.deepEqual([cut.complete, cut.records], [false, 30])
    const rest = await run(path)
    assert.deepEqual([rest.left, rest.complete, rest.records, rest.refused], ['resumed', true, 100, 10])
  })

  it('begins anew where the file has changed, another tenant is meant, or a person says so', async () => {
    for (const [what, change] of [
      ['other', (path: string) => appendFile(path, 'p100,p100@x.y\n')],
      [
        'other',
        (path: string) =>
          writeFile(importFiles(path).statePath, stateOf(path).replace(world.tenant, world.otherTenant)),
      ],
      ['none', undefined],
      ['none', (path: string) => writeFile(importFiles(path).statePath, 'nonsense')],
    ] as const) {
      const path = await file(people)
      await assert.rejects(run(path, { write: failing(5, false) }), /cut off/)
      states.set(path, (await read(importFiles(path).statePath))!)
      await change?.(path)
      const result = await run(path, { restart: change === undefined })
      assert.equal(result.left, what)
      assert.equal(result.added + result.changed + result.same, result.records - 10)
      assert.equal(await read(importFiles(path).reportPath), report)
    }
  })
  const states = new Map<string, string>()
  const stateOf = (path: string) => states.get(path)!
})

describe('the command', () => {
  const env = { DATABASE_URL: world.url }
  const command = (path: string, ...more: string[]) =>
    runCarillon(['recipients', 'import', path, '--tenant', world.tenant, ...more], env)

  it('says what it did, and where the report is', async () => {
    const path = await file('id;email;extra\nzoe;z@x.y;1\nyan;nonsense;2\n')
    const { code, out, err } = await command(path, '--ignore', 'extra')
    assert.equal(code, 1, err)
    assert.match(out, /^2 read: 1 new, 0 changed, 0 as they were, 1 refused/)
    assert.ok(out.includes(`${path}.refused.csv`))
    assert.equal((await find('zoe'))!.contact_points[0]!.address, 'z@x.y')
    const machine = await command(path, '--ignore', 'extra', '--json', '--dry-run')
    assert.deepEqual(JSON.parse(machine.out), {
      read: 2,
      added: 0,
      changed: 0,
      same: 0,
      refused: 1,
      complete: true,
      dryRun: true,
      report: `${path}.refused.csv`,
    })
  })

  it('says in one line what is wrong', async () => {
    const cases: [string[], RegExp][] = [
      [[join(folder, 'missing.csv')], /cannot be read \(ENOENT\)/],
      [[await file('id\n', 'txtx')], /--format csv or ndjson/],
      [[await file('name\nx\n')], /needs one column "id"/],
      [[await file('id\nx\n'), '--tenant', world.ids.id()], /no tenant/],
    ]
    for (const [args, message] of cases) {
      const { code, err } = await runCarillon(['recipients', 'import', '--tenant', world.tenant, ...args], env)
      assert.equal(code, 1)
      assert.match(err, message)
      assert.equal(err.trim().split('\n').length, 1)
    }
  })
})

describe('an export', () => {
  it('is what an import takes, and changes nothing', async () => {
    await world.admin.query('delete from carillon.recipients')
    await write([
      {
        externalId: 'ann',
        name: 'Ann, "the first"',
        timezone: 'Europe/Berlin',
        roles: ['x'],
        attributes: { tier: 'gold' },
        contactPoints: [
          { channel: 'push', address: 't', deviceId: 'd' },
          { channel: 'email', address: 'a@x.y', verified: true },
        ],
      },
      { externalId: 'bo', enabled: false },
    ])
    const { out, code } = await runCarillon(['recipients', 'export', '--tenant', world.tenant], {
      DATABASE_URL: world.url,
    })
    assert.equal(code, 0)
    assert.deepEqual(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
      ['ann', 'bo'],
    )
    assert.deepEqual(counts(await run(await file(out, 'ndjson'))), {
      records: 2,
      added: 0,
      changed: 0,
      same: 2,
      refused: 0,
      complete: true,
    })
    const members = await runCarillon(['recipients', 'export', '--tenant', world.tenant, '--role', 'x'], {
      DATABASE_URL: world.url,
    })
    assert.equal(members.out.trim().split('\n').length, 1)
  })

  it('comes in pages', async () => {
    await write(Array.from({ length: 2_001 }, (_one, n) => ({ externalId: `e${n}` })))
    let lines = 0
    let pages = 0
    for await (const page of exportRecipients((wanted) => pageRecipients(world.worker, world.tenant, wanted), {})) {
      pages++
      lines += page.trimEnd().split('\n').length
    }
    assert.deepEqual([pages, lines], [3, 2_003])
  })
})
