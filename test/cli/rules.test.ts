import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { compareRules } from '../../src/cli/rules/compare-rules.ts'
import { diffLines } from '../../src/cli/rules/line-diff.ts'
import { readRuleFiles, yamlOfRule } from '../../src/cli/rules/rule-files.ts'
import { formOfRule, ruleOfForm } from '../../src/cli/rules/rule-form.ts'
import type { NewRule } from '../../src/pipeline/accept/validate-rule.ts'
import { loadRules } from '../../src/store/rules.ts'
import { createWorld } from '../support/world.ts'
import { runCarillon } from './support/carillon-process.ts'

const world = await createWorld()
const root = await mkdtemp(join(tmpdir(), 'carillon-rules-'))
after(() => rm(root, { recursive: true, force: true }))

let folders = 0
async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = join(root, `folder-${++folders}`)
  await mkdir(folder)
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

const shipped = `# Everybody wants to know.
name: Order shipped
description: Tells the customer that it is on its way
event_pattern: event.data.total > 100
domains: [commerce]
event_types: [commerce.order.shipped]
priority: high
category: orders
channels: [email, PUSH]
fallback: [sms]
recipients:
  type: dynamic
  expression: event.data.customer_id
  roles: [support]
  addresses:
    - { channel: slack, address: "#orders" }
    - ops@example.com
batch_window: 10m
batch_size: 20
batch_key: event.data.region
schedule:
  delay: 30s
  send_window: { start_time: "09:00", end_time: "18:00", days: [1, 2, 3, 4, 5] }
timezone: Europe/Berlin
template: order-shipped
vars:
  shop: Berlin
  net_total: { cel: event.data.total * 2 }
valid_from: 2026-01-01
valid_until: 2030-01-01T00:00:00Z
`
const small = (name: string, more = '') => `name: ${name}\nchannels: [email]\nrecipients: { user_ids: [ann] }\n${more}`

const ok = (form: Record<string, unknown>): NewRule => {
  const judged = ruleOfForm(form)
  assert.ok(judged.ok, JSON.stringify(judged))
  return judged.rule
}

describe('a rule in a file', () => {
  it('is read with the words of the field', async () => {
    const [found] = await readRuleFiles(await folderOf({ 'a.yaml': shipped }))
    assert.deepEqual(found!.rule, {
      name: 'Order shipped',
      description: 'Tells the customer that it is on its way',
      eventPattern: 'event.data.total > 100',
      domains: ['commerce'],
      eventTypes: ['commerce.order.shipped'],
      priority: 2,
      category: 'orders',
      channels: ['email', 'push'],
      fallbackChannels: ['sms'],
      selector: {
        type: 'dynamic',
        roles: ['support'],
        expression: 'event.data.customer_id',
        addresses: [
          { type: 'system', slackId: '#orders' },
          { type: 'user', email: 'ops@example.com' },
        ],
      },
      schedule: {
        delayMs: 30_000,
        timezone: 'Europe/Berlin',
        sendWindow: { startTime: '09:00', endTime: '18:00', timezone: 'Europe/Berlin', days: [1, 2, 3, 4, 5] },
      },
      digest: { windowMs: 600_000, size: 20 },
      batchKey: 'event.data.region',
      template: 'order-shipped',
      templateVars: { shop: 'Berlin', net_total: { cel: 'event.data.total * 2' } },
      enabled: true,
      validFrom: new Date('2026-01-01T00:00:00Z'),
      validUntil: new Date('2030-01-01T00:00:00Z'),
    })
  })

  const forms: [what: string, form: Record<string, unknown>][] = [
    ['the least', {}],
    [
      'a group',
      { group: { by: ['event.data.host'], wait: '30s', interval: 300, repeat: '4h', resolved: 'event.data.ok' } },
    ],
    [
      'a digest each morning',
      { schedule: { cron: '0 9 * * 1-5', timezone: 'Europe/Berlin' }, digest_template: 'morning' },
    ],
    ['a sliding window', { batch_window: 60, batch_sliding: true }],
    ['a time of the day', { schedule: { local_time: '09:00' } }],
    ['switched off', { enabled: false }],
    ['the words of the API', { fallback_channels: ['SMS'], template_vars: { a: 1 }, fallback: undefined }],
    ['odd names of variables', { vars: { camelCase: { innerName: 1 }, snake_case: [{ cel: 'event.type' }] } }],
  ]
  for (const [what, changes] of forms) {
    it(`comes back from the text that is written of it: ${what}`, () => {
      const form = {
        name: 'x',
        channels: ['email'],
        recipients: [{ user_ids: ['ann'] }, { roles: ['ops'] }],
        ...changes,
      }
      const rule = ok(Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined)))
      assert.deepEqual(ok(formOfRule(rule)), rule)
    })
  }

  const faults: [what: string, text: string, says: RegExp][] = [
    ['no name', 'channels: [email]\nrecipients: { user_ids: [a] }', /a\.yaml:1: name is needed/],
    ['an unknown field', small('x', 'chanels: [sms]'), /a\.yaml:\d+ \(x\): chanels is no field of a rule/],
    ['an unknown channel', small('x', 'fallback: [sms, pigeon]'), /a\.yaml:4 \(x\): fallback\.1 must be among/],
    [
      'an expression',
      small('x', 'event_pattern: event.data.total >'),
      /a\.yaml:4 \(x\): event_pattern is at fault in column/,
    ],
    ['a variable', small('x', 'vars:\n  a: 1\n  b:\n    - cel: 1 +'), /a\.yaml:7 \(x\): vars\.b\.0 is at fault/],
    [
      'a schedule',
      small('x', 'schedule:\n  send_window: { start_time: "9" }'),
      /a\.yaml:5 \(x\): schedule\.send_window\.start_time must be a time/,
    ],
    ['a duration', small('x', 'batch_window: soon'), /batch_window must be seconds, or a duration/],
    ['no YAML', 'name: [', /a\.yaml:\d+ is not YAML/],
    ['no rule', '- just text', /a\.yaml:1 must be a rule, or a list of rules/],
    ['a name twice', `${small('x')}---\n${small('x')}`, /\(x\): is in .*a\.yaml:1 already/],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nname: [*c,*c,*c,*c,*c]`,
      /a\.yaml:1 cannot be read/,
    ],
  ]
  for (const [what, text, says] of faults) {
    it(`at fault is told with file and line: ${what}`, async () => {
      await assert.rejects(readRuleFiles(await folderOf({ 'a.yaml': text })), { code: 'RULES_INVALID', message: says })
    })
  }

  it('stands alone, in a list, under rules: or in documents, in folders below each other', async () => {
    const folder = await folderOf({
      'a.yaml': small('a'),
      'b.yml':
        '- { name: b1, channels: [email], recipients: { roles: [r] } }\n- { name: b2, channels: email, recipients: { roles: [r] } }',
      'c.yaml': 'rules:\n  - { name: c, channels: [email], recipients: { roles: [r] } }',
      'd.yaml': `${small('d1')}---\n${small('d2')}`,
      'empty.yaml': '',
      'note.txt': 'not a rule',
    })
    await mkdir(join(folder, 'below'))
    await writeFile(join(folder, 'below', 'e.yaml'), small('e'))
    const found = await readRuleFiles(folder)
    assert.deepEqual(
      found.map(({ rule, alone }) => `${rule.name}${alone ? '!' : ''}`),
      ['a!', 'b1', 'b2', 'e!', 'c!', 'd1', 'd2'],
    )
  })

  it('that is not there is said', async () => {
    await assert.rejects(readRuleFiles(join(root, 'nowhere')), { code: 'NO_RULES' })
  })
})

describe('a comparison', () => {
  const row = (rule: NewRule) => {
    const { name, enabled, ...definition } = rule
    const at = new Date(0)
    return {
      id: name,
      name,
      enabled,
      version: 1,
      definition,
      disabled_reason: null,
      created_at: at,
      updated_at: at,
      updated_by: '',
    }
  }
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ok({ name, channels: ['email'], recipients: { user_ids: ['ann'] } }))
  it('tells what is new, changed, deleted and the same, by name', () => {
    const changed = { ...b!, priority: 3 }
    const kinds = (prune: boolean) =>
      compareRules([a!, changed, ok({ ...formOfRule(a!), name: 'd' })], [a!, b!, c!].map(row) as never, prune).map(
        ({ name, kind }) => [name, kind],
      )
    assert.deepEqual(kinds(false), [
      ['a', 'same'],
      ['b', 'changed'],
      ['c', 'only there'],
      ['d', 'new'],
    ])
    assert.deepEqual(kinds(true)[2], ['c', 'deleted'])
    const [, change] = compareRules([a!, changed], [a!, b!].map(row) as never, false)
    assert.deepEqual(
      change!.lines.filter(({ mark }) => mark !== ' '),
      [
        { mark: '-', text: 'priority: normal' },
        { mark: '+', text: 'priority: critical' },
      ],
    )
  })
  it('of lines keeps what both have, in order', () => {
    const lines = diffLines('a\nb\nc\nd', 'a\nx\nc\nd\ne').map(({ mark, text }) => mark + text)
    assert.deepEqual(lines, [' a', '-b', '+x', ' c', ' d', '+e'])
  })
})

describe('carillon rules', () => {
  const carillon = (...args: string[]) =>
    runCarillon(['rules', ...args, '--tenant', world.tenant], { DATABASE_URL: world.url, NODE_ENV: 'production' })
  const names = async () => (await loadRules(world.worker, world.tenant)).map(({ name }) => name)

  it('pushes all or nothing, shows what changes, and pulls the same again', async () => {
    const folder = await folderOf({ 'shipped.yaml': shipped, 'two.yaml': small('two') })
    const diff = await carillon('diff', folder, '--check')
    assert.equal(diff.code, 1, diff.err)
    assert.match(diff.out, /^\+ Order shipped$/m)
    assert.match(diff.out, /Would be: 2 new/)
    assert.deepEqual(await names(), [])

    const pushed = await carillon('push', folder)
    assert.equal(pushed.code, 0, pushed.err)
    assert.match(pushed.out, /2 new/)
    assert.match(pushed.err, /there is no template order-shipped yet/)
    assert.deepEqual((await names()).sort(), ['Order shipped', 'two'])
    const [{ updated_by: by } = { updated_by: '' }] = await world.rows<{ updated_by: string }>(
      'select updated_by from carillon.rules limit 1',
    )
    assert.equal(by, 'cli')

    await writeFile(join(folder, 'two.yaml'), small('two', 'priority: low'))
    await writeFile(join(folder, 'bad.yaml'), small('bad', 'event_pattern: event.'))
    const refused = await carillon('push', folder)
    assert.equal(refused.code, 1)
    assert.match(refused.err, /bad\.yaml:4 \(bad\): event_pattern/)
    assert.equal((await loadRules(world.worker, world.tenant)).find(({ name }) => name === 'two')!.version, 1)
    await rm(join(folder, 'bad.yaml'))

    const changed = await carillon('push', folder, '--json')
    const told = JSON.parse(changed.out) as {
      written: boolean
      same: number
      changes: { name: string; kind: string; diff: string[] }[]
    }
    assert.deepEqual(
      [told.written, told.same, told.changes.map(({ name, kind }) => [name, kind])],
      [true, 1, [['two', 'changed']]],
    )
    assert.ok(told.changes[0]!.diff.includes('-priority: normal') && told.changes[0]!.diff.includes('+priority: low'))

    const pulled = await carillon('pull', folder)
    assert.match(pulled.out, /2 rules, 0 files written/, 'what says the same stays, with its comments')
    assert.equal(await readFile(join(folder, 'shipped.yaml'), 'utf8'), shipped)
    const fresh = join(root, 'fresh')
    await carillon('pull', fresh)
    assert.deepEqual((await readdir(fresh)).sort(), ['order-shipped.yaml', 'two.yaml'])
    const same = await carillon('diff', fresh, '--check')
    assert.equal(same.code, 0, same.out)
    assert.match(same.out, /Would be: 2 same/)

    await rm(join(fresh, 'order-shipped.yaml'))
    assert.match((await carillon('push', fresh)).out, /1 same, 1 in no file/)
    assert.match((await carillon('push', fresh, '--prune')).out, /^- Order shipped$/m)
    assert.deepEqual(await names(), ['two'])
  })
})

it('a rule reads well', () => {
  assert.equal(
    yamlOfRule(
      ok({
        name: 'x',
        channels: ['email'],
        recipients: { type: 'user', user_ids: ['ann'] },
        vars: { a: { cel: 'event.type' } },
      }),
    ),
    `name: x
priority: normal
channels:
  - email
recipients:
  type: user
  user_ids:
    - ann
vars:
  a:
    cel: event.type
`,
  )
})
