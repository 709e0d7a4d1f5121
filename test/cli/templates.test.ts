import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readTemplateFolders } from '../../src/cli/templates/load-samples.ts'
import { compilePart } from '../../src/pipeline/render/compile-template.ts'
import { upsertTemplates } from '../../src/store/sample-templates.ts'
import { createTenant } from '../../src/store/tenants.ts'
import { testDatabase } from '../support/database.ts'

const folder = await mkdtemp(join(tmpdir(), 'carillon-templates-'))
const builtIn = await readTemplateFolders()
after(() => rm(folder, { recursive: true, force: true }))

async function write(name: string, files: Record<string, string>): Promise<string> {
  await mkdir(join(folder, name), { recursive: true })
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text)
  return join(folder, name)
}

const about = (channels: string[]) => JSON.stringify({ description: 'x', version: '1.0.0', channels })

test('the built-in samples are there, for the channels of their stories', () => {
  assert.deepEqual(
    builtIn.map(({ name, channelNames }) => [name, channelNames]),
    [
      ['document_approved', ['email', 'slack', 'audit']],
      ['infrastructure-alert', ['email', 'webhook']],
      ['order-shipped', ['email', 'in_app']],
    ],
  )
})

for (const { name, channels, example } of builtIn) {
  for (const [what, data] of [
    ['with its example', example],
    ['with no data at all', {}],
  ] as const) {
    test(`${name} renders ${what}, and escapes what it is given`, () => {
      for (const [channel, parts] of Object.entries(channels)) {
        for (const [part, source] of Object.entries(parts)) {
          const render = compilePart(`test/${name}/${channel}/${part}`, source, part === 'body_html' ? 'html' : 'text')
          const text = render({ ...data, recipient: { name: '<Ann>' }, notification: {} })
          assert.ok(text.length > 0)
          assert.doesNotMatch(text, /undefined|null|\[object/)
          if (part === 'body_html') assert.doesNotMatch(text, /<Ann>/)
        }
      }
    })
  }
}

test('another text is another version, though nobody raised it', async () => {
  const path = await write('bell', { 'template.json': about(['email']), 'email.body.eta': 'ding' })
  const [before] = await readTemplateFolders(path)
  await writeFile(join(path, 'email.body.eta'), 'dong')
  const [now] = await readTemplateFolders(path)
  assert.match(before!.version, /^1\.0\.0\+[0-9a-f]{8}$/)
  assert.notEqual(now!.version, before!.version)
})

const faulty: { what: string; files: Record<string, string>; says: RegExp }[] = [
  {
    what: 'a part of a channel it does not name',
    files: { 'template.json': about(['email']), 'sms.body.eta': 'x' },
    says: /sms\.body\.eta is for a channel/,
  },
  {
    what: 'a part that channels do not have',
    files: { 'template.json': about(['email']), 'email.tail.eta': 'x' },
    says: /email\.tail\.eta must be/,
  },
  { what: 'an unknown channel', files: { 'template.json': about(['pigeon']) }, says: /template\.json channels\.0/ },
  { what: 'a template.json that is none', files: { 'template.json': '{' }, says: /template\.json is not JSON/ },
]
for (const [index, { what, files, says }] of faulty.entries()) {
  test(`${what} is refused with the name of the file`, async () => {
    const path = await write(`faulty-${index}`, files)
    await assert.rejects(readTemplateFolders(path), { code: 'TEMPLATE_INVALID', message: says })
  })
}

test('loading writes what is new or changed, and leaves the rest', async () => {
  const database = await testDatabase()
  const pool = database.pool('carillon_worker')
  const tenantId = '01900000-0000-7000-8000-00000000000a'
  const now = new Date('2026-01-15T10:00:00Z')
  await createTenant(pool, { id: tenantId, name: 'A', now })
  assert.equal((await upsertTemplates(pool, tenantId, builtIn, now)).length, builtIn.length)
  assert.deepEqual(await upsertTemplates(pool, tenantId, builtIn, now), [])
  const changed = builtIn.map((sample, index) => (index === 0 ? { ...sample, version: '1.0.1+00000000' } : sample))
  assert.deepEqual(await upsertTemplates(pool, tenantId, changed, now), [builtIn[0]!.name])
})
