import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readLimits, readPreferenceDefaults, readRuleInput } from '../../src/cli/dry-run/read-draft.ts'
import { readRuleFiles } from '../../src/cli/rules/rule-files.ts'
import { validateRule } from '../../src/pipeline/accept/validate-rule.ts'
import { createApiWorld } from '../api/api-world.ts'
import { runCarillon } from './support/carillon-process.ts'

const world = await createApiWorld()
const folder = await mkdtemp(join(tmpdir(), 'carillon-dry-run-'))
after(() => rm(folder, { recursive: true, force: true }))

const file = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
const env = { CARILLON_DATA_DIR: folder, CARILLON_URL: world.url, CARILLON_API_KEY: world.key }
const big = `name: Big orders
event_pattern: event.data.total > 100
event_types: [shop.order.paid]
priority: high
channels: [email]
recipients: { user_ids: [ann, bob] }
vars: { subject: Paid, body: { cel: "'order ' + string(event.data.order)" } }
`
let path = ''

before(async () => {
  path = await file('big.yaml', big)
  const people = ['ann', 'bob'].map((id) => ({
    id,
    timezone: 'UTC',
    contactPoints: [{ channel: 'EMAIL', address: `${id}@example.com` }],
  }))
  const upsert = 'mutation ($inputs: [RecipientProfileInput!]!) { upsertRecipients(inputs: $inputs) { id } }'
  await world.data(upsert, { inputs: people })
  await world.data(`mutation { updateUserPreferences(userId: "bob", input: { enabled: false }) { userId } }`)
  const events = [50, 150, 250].map((total) => ({
    id: `order-${total}`,
    type: 'shop.order.paid',
    data: { total, order: 1 },
  }))
  await world.data('mutation ($inputs: [EventInput!]!) { publishEvents(inputs: $inputs) { status } }', {
    inputs: events,
  })
  world.clock.advance(1_000)
})

describe('carillon dry-run', () => {
  it('says in numbers and examples what a rule would have done', async () => {
    const until = new Date(world.clock.now().getTime() + 60_000).toISOString()
    const { code, out, err } = await runCarillon(['dry-run', '--rule', path, '--since', '1h', '--until', until], env)
    assert.equal(code, 0, err)
    assert.match(err, /100 % {2}3 events/)
    const lines = out.trimEnd().split('\n')
    assert.deepEqual(lines.slice(0, 6), [
      'events                  3',
      'matched                 2',
      'recipients              4',
      '  sent                  2',
      '  suppressed:opted_out  2',
      '',
    ])
    assert.equal(lines[6], 'newly sent: 2')
    assert.match(lines[7]!, /^ {2}\S+Z {2}ann {2}shop\.order\.paid {2}order-150 {2}sent$/)
    assert.deepEqual(lines.slice(9), ['', 'no longer sent: 0', '', 'Nothing was written.'])
  })

  it('gives the whole result as JSON', async () => {
    const until = new Date(world.clock.now().getTime() + 60_000).toISOString()
    const limits = await file(
      'limits.yaml',
      'limits:\n  - { name: one, scope: user, max: 1, window_seconds: 3600, on_excess: suppress }\n',
    )
    const options = ['--limits', limits, '--since', '1h', '--until', until, '--sample', '1', '--json']
    const { code, out, err } = await runCarillon(['dry-run', '--rule', path, ...options], env)
    assert.equal(code, 0, err)
    const { newlySent, samples, ...rest } = JSON.parse(out)
    assert.deepEqual(rest, {
      events: 3,
      matched: 2,
      recipients: 4,
      byVerdict: { sent: 1, 'suppressed:opted_out': 2, 'suppressed:rate_limited': 1 },
      newlySentCount: 1,
      noLongerSent: [],
      noLongerSentCount: 0,
      faults: {},
    })
    assert.equal(newlySent[0].recipientId, 'ann')
    assert.deepEqual(Object.keys(samples).sort(), ['sent', 'suppressed:opted_out', 'suppressed:rate_limited'])
  })

  const faults: [what: string, args: string[], code: number, says: RegExp][] = [
    ['nothing to try', ['--since', '1h'], 1, /say what to try/],
    ['a file that is not there', ['--rule', '/nowhere.yaml', '--since', '1h'], 1, /no file or folder/],
    ['quiet hours that are none', ['--quiet-hours', 'night', '--since', '1h'], 1, /22:00-07:00/],
    [
      'a zone that the service refuses',
      ['--quiet-hours', '22:00-07:00@Mars', '--since', '1h'],
      1,
      /timezone .*VALIDATION_FAILED/,
    ],
  ]
  for (const [what, args, code, says] of faults) {
    it(`ends with ${code} for ${what}`, async () => {
      const ended = await runCarillon(['dry-run', ...args], env)
      assert.equal(ended.code, code)
      assert.match(ended.err, says)
      assert.equal(ended.out, '')
    })
  }
})

describe('a draft in files', () => {
  it('is the same rule to the API as it is to the files', async () => {
    const whole = await file(
      'whole.yaml',
      `${big}description: all of it
domains: [shop]
category: orders
fallback: [sms]
schedule: { delay: 30s, send_window: { start_time: "09:00", end_time: "18:00", days: [1, 2] } }
timezone: Europe/Berlin
batch_window: 10m
batch_size: 20
batch_key: event.data.region
valid_from: 2026-01-01
`,
    )
    const [found] = await readRuleFiles(whole)
    const input = await readRuleInput(whole, undefined)
    const lower = (words: unknown) => (words as string[]).map((word) => word.toLowerCase())
    const coerced = {
      ...JSON.parse(JSON.stringify(input)),
      priority: 2,
      channels: lower(input.channels),
      fallbackChannels: lower(input.fallbackChannels),
    }
    assert.deepEqual(validateRule(coerced, []), { ok: true, rule: found!.rule })
  })

  it('is chosen by name where a file has several', async () => {
    const two = await file('two.yaml', `${big}---\n${big.replace('Big', 'Small')}`)
    await assert.rejects(readRuleInput(two, undefined), /--name \(Big orders, Small orders\)/)
    await assert.rejects(readRuleInput(two, 'No orders'), /has no rule "No orders"/)
    assert.equal((await readRuleInput(two, 'Small orders')).name, 'Small orders')
  })

  it('keeps the names of categories as they are, and reads ours with underscores', async () => {
    const defaults = await file(
      'defaults.yaml',
      'quiet_hours: { enabled: true, start_time: "22:00", end_time: "07:00" }\ncategories: { news_letter: { min_priority: HIGH } }\n',
    )
    assert.deepEqual(await readPreferenceDefaults(defaults), {
      quietHours: { enabled: true, startTime: '22:00', endTime: '07:00' },
      categories: { news_letter: { minPriority: 'HIGH' } },
    })
    const one = await file('one.json', '{"name": "x", "remove": true}')
    assert.deepEqual(await readLimits(one), [{ name: 'x', remove: true }])
  })
})
