import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type GateReason, gateReasons, gates, type Step } from '../../src/domain/decision.ts'
import { decisionOf, type Given, person } from '../support/verdicts.ts'

const stepsOf = (given: Given): Step[] => JSON.parse(JSON.stringify(decisionOf(given).steps))

test('with nothing set there is nothing to tell', () => {
  assert.deepEqual(stepsOf({}), [])
})

test('a step names what was compared, and the versions of it', () => {
  const given: Given = {
    says: { channels: { sms: { enabled: false } }, minPriority: 1 },
    defaults: { minPriority: 2 },
    want: { channels: ['email', 'sms'] },
    category: { name: 'orders' },
  }
  const versions = { preferences: 3, preference_defaults: 7 }
  assert.deepEqual(stepsOf(given), [
    {
      gate: 'preference',
      channel: 'sms',
      verdict: 'suppress',
      reason: 'channel_opted_out',
      inputs: { enabled: false, by: 'recipient' },
      versions,
    },
    {
      gate: 'preference',
      verdict: 'pass',
      inputs: { category: 'orders', event_type: 'commerce.order.shipped', priority: 1 },
      versions,
    },
  ])
})

test('what stops all channels is told once', () => {
  assert.deepEqual(stepsOf({ defaults: { enabled: false }, want: { channels: ['email', 'sms'] } }), [
    {
      gate: 'preference',
      verdict: 'suppress',
      reason: 'opted_out',
      inputs: { enabled: false, by: 'defaults' },
      versions: { preference_defaults: 7 },
    },
  ])
})

test('consent is told with when, where and to which wording', () => {
  const at = new Date('2026-11-01T00:00:00Z')
  const consents = { news: { granted: true, at, source: 'signup', wordingVersion: '2026-10' } }
  const [step] = stepsOf({ category: { name: 'news', marketing: true }, person: { consents } })
  assert.deepEqual(step, {
    gate: 'consent',
    verdict: 'pass',
    inputs: {
      category: 'news',
      granted: true,
      at: '2026-11-01T00:00:00.000Z',
      source: 'signup',
      wording_version: '2026-10',
    },
  })
})

test('quiet hours are told with the clock that was read', () => {
  const quietHours = { enabled: true, startTime: '22:00', endTime: '07:00', days: [5], allowCritical: true }
  const given: Given = { at: '2026-11-20T22:15:00Z', says: { quietHours }, person: { timezone: 'Europe/Berlin' } }
  const inputs = {
    start_time: '22:00',
    end_time: '07:00',
    timezone: 'Europe/Berlin',
    local_time: '23:15',
    by: 'recipient',
    days: [5],
  }
  const [, step] = stepsOf(given)
  assert.deepEqual(step, {
    gate: 'quiet_hours',
    verdict: 'snooze',
    reason: 'quiet_hours',
    until: '2026-11-21T06:00:00.000Z',
    inputs,
  })
  const [, critical] = stepsOf({ ...given, want: { priority: 3 } })
  assert.deepEqual(critical, { gate: 'quiet_hours', verdict: 'pass', inputs: { ...inputs, allow_critical: true } })
})

test('where some channels keep hours and some do not, the steps name them', () => {
  const quietHours = { enabled: true, startTime: '22:00', endTime: '07:00', allowCritical: true }
  const told = stepsOf({
    at: '2026-11-20T22:15:00Z',
    says: { quietHours },
    want: { channels: ['in_app', 'email', 'sms'], schedule: { delayMs: 60_000 } },
  })
  assert.deepEqual(
    told.map(({ gate, channel, verdict }) => [gate, channel, verdict]),
    [
      ['preference', undefined, 'pass'],
      ['schedule', undefined, 'snooze'],
      ['quiet_hours', 'email', 'snooze'],
      ['quiet_hours', 'sms', 'snooze'],
    ],
  )
})

test('what would wait beyond its expiry says until when', () => {
  const given: Given = {
    want: { schedule: { localTime: '09:00' }, expiresAt: new Date('2026-11-20T20:00:00Z') },
  }
  assert.deepEqual(stepsOf(given).at(-1), {
    gate: 'validity',
    channel: 'email',
    verdict: 'expire',
    reason: 'expired',
    inputs: { expires_at: '2026-11-20T20:00:00.000Z', waits_until: '2026-11-21T09:00:00.000Z' },
  })
})

test('a silence is told with its comment, and until when it holds', () => {
  const heldBack = { reason: 'silenced', id: 's1', until: new Date('2026-11-21T00:00:00Z'), comment: 'moving' } as const
  assert.deepEqual(stepsOf({ want: { heldBack } }), [
    {
      gate: 'silence',
      verdict: 'suppress',
      reason: 'silenced',
      until: '2026-11-21T00:00:00.000Z',
      inputs: { id: 's1', comment: 'moving' },
    },
  ])
})

const bounced = { reason: 'hard_bounce', source: 'smtp', at: new Date('2026-11-01T00:00:00Z') } as const
const everything: Given = {
  at: '2026-11-20T22:15:00Z',
  says: {
    channels: { sms: { enabled: false }, email: { address: 'private@example.com' } },
    quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', allowCritical: true },
  },
  person: {
    suppressions: { push: bounced, email: { ...bounced, expiresAt: new Date('2026-11-02T00:00:00Z') } },
    consents: { news: { granted: true, at: new Date('2026-11-01T00:00:00Z'), source: 'signup' } },
  },
  category: {
    name: 'news',
    marketing: true,
    frequency: 'daily',
    sendWindow: { startTime: '09:00', endTime: '17:00' },
  },
  want: {
    channels: ['telegram', 'push', 'email', 'sms', 'in_app'],
    priority: 3,
    schedule: { delayMs: 60_000 },
    expiresAt: new Date('2026-12-20T00:00:00Z'),
  },
}

test('steps come in the order of the gates', () => {
  const told = stepsOf(everything).map(({ gate }) => gate)
  assert.deepEqual(
    [...new Set(told)],
    gates.filter((gate) => told.includes(gate)),
  )
  assert.deepEqual(
    gates.filter((gate) => !told.includes(gate)),
    ['silence', 'recipient', 'rate_limit'],
  )
})

test('no step names an address', () => {
  const told = JSON.stringify(stepsOf(everything))
  for (const address of [...Object.values(person.addresses), 'private@example.com']) assert.ok(!told.includes(address))
})

test('every reason belongs to the gate that gives it', () => {
  for (const { gate, reason } of stepsOf(everything)) {
    if (reason) assert.ok((gateReasons[gate] as readonly GateReason[]).includes(reason), `${gate} ${reason}`)
  }
})

test('the same values give the same decision, and are not changed', () => {
  const before = JSON.stringify(everything)
  assert.deepEqual(decisionOf(everything), decisionOf(everything))
  assert.equal(JSON.stringify(everything), before)
})

const digests: [string, Given, unknown][] = [
  ['hourly', { category: { name: 'a', frequency: 'hourly' } }, { recurrence: { cron: '0 * * * *' } }],
  ['daily', { category: { name: 'a', frequency: 'daily' } }, { recurrence: { cron: '0 9 * * *' } }],
  ['weekly', { category: { name: 'a', frequency: 'weekly' } }, { recurrence: { cron: '0 9 * * 1' } }],
  [
    'the window of the category',
    { category: { name: 'a', frequency: 'digest', digest: { windowMs: 5 } } },
    { windowMs: 5 },
  ],
  ['an hour where it has none', { category: { name: 'a', frequency: 'digest' } }, { windowMs: 3_600_000 }],
  [
    'daily, with the template of the category',
    { category: { name: 'a', frequency: 'daily', digest: { windowMs: 5, template: 'news' } } },
    { recurrence: { cron: '0 9 * * *' }, template: 'news' },
  ],
  [
    'that of the rule',
    { want: { fold: { key: 'rule:1', policy: { windowMs: 7, size: 3 } } } },
    { windowMs: 7, size: 3 },
  ],
]
for (const [name, given, policy] of digests) {
  test(`a digest is closed ${name}`, () => assert.deepEqual(decisionOf(given).fold?.policy, policy))
}

test('the page on the gates names every gate’s reasons, in the order of the gates', async () => {
  const page = await readFile(new URL('../../docs/gates.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\|[^|]*\| `(\w+)` \|/gm)].map(([, reason]) => reason)
  assert.deepEqual(
    rows,
    gates.flatMap((gate) => gateReasons[gate]),
  )
})
