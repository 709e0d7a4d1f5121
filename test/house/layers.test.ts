import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { offences } from './layers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('every source file keeps the rules of the house', async () => {
  const found: string[] = []
  let files = 0
  for await (const path of glob(['src/**/*.{ts,js}', 'migrations/**/*.ts'], { cwd: root })) {
    files++
    found.push(...offences({ path: path.replaceAll('\\', '/'), text: await readFile(`${root}/${path}`, 'utf8') }))
  }
  assert.ok(files > 20, `looked at ${files} files only`)
  assert.deepEqual(found, [])
})

const bad: { rule: string; path: string; text: string; says: RegExp }[] = [
  {
    rule: 'a lower floor imports a higher one',
    path: 'src/domain/a.ts',
    text: `import { b } from '../platform/b.ts'`,
    says: /domain\/ may not import/,
  },
  {
    rule: 'over several lines, and types too',
    path: 'src/store/a.ts',
    text: `import type {\n  A,\n  B,\n} from '../pipeline/plan/b.ts'`,
    says: /may not import/,
  },
  { rule: 'a re-export', path: 'src/platform/a.ts', text: `export { b } from '../api/b.ts'`, says: /may not import/ },
  {
    rule: 'a dynamic import',
    path: 'src/platform/a.ts',
    text: `const b = await import('../api/b.ts')`,
    says: /may not import/,
  },
  { rule: 'rooms of one floor', path: 'src/api/a.ts', text: `import '../cli/b.ts'`, says: /api\/ may not import/ },
  {
    rule: 'a room imports the app',
    path: 'src/cli/a.ts',
    text: `import { start } from '../app.ts'`,
    says: /cli\/ may not import/,
  },
  {
    rule: 'a stage imports a stage',
    path: 'src/pipeline/plan/a.ts',
    text: `import { b } from '../permit/b.ts'`,
    says: /stage/,
  },
  {
    rule: 'a family imports a sibling',
    path: 'src/channels/email/a.ts',
    text: `import { b } from '../sms/b.ts'`,
    says: /sibling/,
  },
  {
    rule: 'a room that is not there',
    path: 'src/utils/a.ts',
    text: `import { b } from '../domain/b.ts'`,
    says: /not a room/,
  },
  {
    rule: 'a migration imports from src',
    path: 'migrations/1.ts',
    text: `import { b } from '../src/domain/b.ts'`,
    says: /only kysely/,
  },
  {
    rule: 'src imports a test',
    path: 'src/store/a.ts',
    text: `import { b } from '../../test/b.ts'`,
    says: /outside src/,
  },
  {
    rule: 'network in a stage',
    path: 'src/pipeline/send/a.ts',
    text: `import { request } from 'undici'`,
    says: /network/,
  },
  { rule: 'a client in the api', path: 'src/api/a.ts', text: `import { request } from 'undici'`, says: /network/ },
  { rule: 'environment', path: 'src/store/a.ts', text: `const a = process.env.A`, says: /process\.env/ },
  { rule: 'now', path: 'src/domain/a.ts', text: `const a = Date.now()`, says: /clock/ },
  { rule: 'a new Date without a moment', path: 'src/domain/a.ts', text: `const a = new Date()`, says: /clock/ },
  { rule: 'any', path: 'src/domain/a.ts', text: `const a = b as any`, says: /no any/ },
  { rule: 'printing', path: 'src/store/a.ts', text: `console.log('a')`, says: /print/ },
  { rule: 'a long file', path: 'src/store/a.ts', text: 'a\n'.repeat(301), says: /300/ },
  {
    rule: 'SQL in a stage',
    path: 'src/pipeline/plan/a.ts',
    text: 'const a = `\n  select id from intents`',
    says: /SQL/,
  },
  { rule: 'SQL in plain quotes', path: 'src/api/a.ts', text: `const a = 'delete from intents'`, says: /SQL/ },
  {
    rule: 'SQL that calls a function',
    path: 'src/workers/a.ts',
    text: `const a = 'select carillon.tick($1)'`,
    says: /SQL/,
  },
]

for (const { rule, path, text, says } of bad) {
  test(`the checker finds: ${rule}`, () => assert.match(offences({ path, text }).join('\n'), says))
}

const good: { what: string; path: string; text: string }[] = [
  { what: 'a room on a lower floor', path: 'src/api/a.ts', text: `import { b } from '../store/b.ts'` },
  { what: 'what families share', path: 'src/channels/email/a.ts', text: `import { b } from '../port.ts'` },
  { what: 'the app imports everything', path: 'src/app.ts', text: `import { b } from './api/b.ts'` },
  { what: 'a date of a moment', path: 'src/domain/a.ts', text: 'const a = new Date(moment)' },
  {
    what: 'the words in a comment',
    path: 'src/domain/a.ts',
    text: `// process.env, Date.now(), 'select a from b'\n/** as any */`,
  },
  {
    what: 'prose that begins like SQL',
    path: 'src/api/a.ts',
    text: `const help = 'Select a channel', b = 'Update the template'`,
  },
  { what: 'SQL in the store', path: 'src/store/a.ts', text: 'const a = `select 1`' },
]

for (const { what, path, text } of good) {
  test(`the checker lets pass: ${what}`, () => assert.deepEqual(offences({ path, text }), []))
}
