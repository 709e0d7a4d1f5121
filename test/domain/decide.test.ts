import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Channel } from '../../src/domain/channel.ts'
import { decide, type GateSettings } from '../../src/domain/decide.ts'
import type { Person } from '../../src/domain/person.ts'
import type { Want } from '../../src/domain/want.ts'

const now = new Date('2026-11-20T09:00:00Z')
const open: GateSettings = { enabledChannels: [], defaultChannels: ['email'] }
const nothingSaid = { enabled: true, roles: [], groups: [], attributes: {}, consents: {}, suppressions: {} }
const ann: Person = {
  ...nothingSaid,
  type: 'user',
  id: 'ann',
  known: true,
  addresses: { email: 'ann@example.com', slack: 'U1' },
}
const stranger: Person = {
  ...nothingSaid,
  type: 'user',
  id: 'address:1',
  known: false,
  addresses: { email: 'x@example.com' },
}
const nobody: Person = { ...nothingSaid, type: 'user', id: 'bob', known: true, addresses: {} }

type Request = Omit<Want, 'type' | 'priority' | 'acceptedAt'>

const decided = (request: Request, person: Person, settings: GateSettings) =>
  decide(
    { type: 'greeting', priority: 1, acceptedAt: now, ...request },
    person,
    { settings, categories: new Map() },
    now,
  )

const told = (request: Request, person: Person, settings = open) => {
  const verdict = decided(request, person, settings)
  return [
    verdict.outcome ?? 'go',
    ...verdict.deliveries.map((d) => `${d.channel} ${d.state}${d.reason ? ` ${d.reason}` : ''} ${d.fallbackRank}`),
  ]
}

const cases: [string, Request, Person, GateSettings, string[]][] = [
  [
    'channels asked for are used in order',
    { channels: ['slack', 'email'] },
    ann,
    open,
    ['go', 'slack queued 0', 'email queued 0'],
  ],
  ['a channel asked for twice is used once', { channels: ['email', 'email'] }, ann, open, ['go', 'email queued 0']],
  [
    'a channel without an address is suppressed, the others go',
    { channels: ['email', 'sms'] },
    ann,
    open,
    ['go', 'email queued 0', 'sms suppressed no_address 0'],
  ],
  [
    'where no channel has an address the notification is suppressed',
    { channels: ['sms'] },
    ann,
    open,
    ['suppressed', 'sms suppressed no_address 0'],
  ],
  [
    'a channel that is switched off is suppressed',
    { channels: ['email', 'slack'] },
    ann,
    { ...open, enabledChannels: ['email'] },
    ['go', 'email queued 0', 'slack suppressed channel_disabled 0'],
  ],
  [
    'without channels, those of the template that reach the recipient',
    { template: { name: 'hello', version: '1', channels: ['email', 'sms', 'in_app'] } },
    ann,
    open,
    ['go', 'email queued 0', 'in_app queued 0'],
  ],
  ['without channels and template, those of the addresses', {}, ann, open, ['go', 'email queued 0', 'slack queued 0']],
  ['without anything, the default', {}, nobody, open, ['suppressed', 'email suppressed no_address 0']],
  [
    'somebody without an id has no inbox',
    { channels: ['in_app'] },
    stranger,
    open,
    ['suppressed', 'in_app suppressed no_address 0'],
  ],
  ['a template that is not there fails the notification', { template: null }, ann, open, ['failed']],
  ['past its expiry nothing is sent', { expiresAt: now }, ann, open, ['expired']],
  [
    'before its expiry it goes',
    { expiresAt: new Date(now.getTime() + 1), channels: ['email'] },
    ann,
    open,
    ['go', 'email queued 0'],
  ],
  [
    'an audit line needs no sending',
    { channels: ['email', 'audit'] },
    ann,
    open,
    ['go', 'email queued 0', 'audit sent 0'],
  ],
  [
    'fallbacks wait in their order',
    { channels: ['email'], fallbackChannels: ['slack', 'in_app'] },
    ann,
    open,
    ['go', 'email queued 0', 'slack held 1', 'in_app held 2'],
  ],
  [
    'a fallback that cannot be used is left out',
    { channels: ['email'], fallbackChannels: ['sms', 'slack'] },
    ann,
    open,
    ['go', 'email queued 0', 'slack held 2'],
  ],
  [
    'an audit line does not hold a fallback back',
    { channels: ['sms', 'audit'], fallbackChannels: ['email'] },
    ann,
    open,
    ['go', 'sms suppressed no_address 0', 'audit sent 0', 'email queued 1'],
  ],
  [
    'where no channel can be used, the first fallback goes at once',
    { channels: ['sms'], fallbackChannels: ['email', 'slack'] },
    ann,
    open,
    ['go', 'sms suppressed no_address 0', 'email queued 1', 'slack held 2'],
  ],
]
for (const [name, request, recipient, settings, expected] of cases) {
  test(name, () => assert.deepEqual(told(request, recipient, settings), expected))
}

test('an address given by the request is where it goes', () => {
  const [delivery] = decided({ channels: ['email' satisfies Channel] }, ann, open).deliveries
  assert.equal(delivery?.address, 'ann@example.com')
})
