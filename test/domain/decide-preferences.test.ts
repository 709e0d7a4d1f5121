import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Suppression } from '../../src/domain/person.ts'
import type { Preferences } from '../../src/domain/preferences.ts'
import { decisionOf, type Given, inALine } from '../support/verdicts.ts'

const at = (iso: string) => new Date(iso)
const bounced: Suppression = { reason: 'hard_bounce', source: 'smtp', at: at('2026-11-01T00:00:00Z') }
const orders = { name: 'orders' }
const news = { name: 'news', marketing: true }
const security = { name: 'security', required: true }
const critical = { priority: 3 }
const said = (name: string, preference: NonNullable<Preferences['categories']>[string]): Preferences => ({
  categories: { [name]: preference },
})

const matrix: Record<string, [string, Given, string][]> = {
  'preference: everything': [
    ['who wants nothing gets nothing', { says: { enabled: false } }, 'suppressed by opted_out: email opted_out'],
    ['not even CRITICAL', { says: { enabled: false }, want: critical }, 'suppressed by opted_out: email opted_out'],
    ['but what is required', { says: { enabled: false }, category: security }, 'email'],
    [
      'defaults hold for who said nothing',
      { defaults: { enabled: false } },
      'suppressed by opted_out: email opted_out',
    ],
    ['and not for who said otherwise', { defaults: { enabled: false }, says: { enabled: true } }, 'email'],
    [
      'who said something else said nothing of it',
      { defaults: { enabled: false }, says: { minPriority: 0 } },
      'suppressed by opted_out: email opted_out',
    ],
    ['a system has no preferences', { says: { enabled: false }, person: { type: 'system' } }, 'email'],
    ['nor the tenant for it', { defaults: { enabled: false }, person: { type: 'system' } }, 'email'],
    ['a pause stops it', { says: { pausedUntil: at('2026-12-01T00:00:00Z') } }, 'suppressed by paused: email paused'],
    ['a pause that is over does not', { says: { pausedUntil: at('2026-11-20T12:00:00Z') } }, 'email'],
    [
      'a pause stops CRITICAL',
      { says: { pausedUntil: at('2026-12-01T00:00:00Z') }, want: critical },
      'suppressed by paused: email paused',
    ],
    [
      'what is required passes a pause',
      { says: { pausedUntil: at('2026-12-01T00:00:00Z') }, category: security },
      'email',
    ],
    [
      'a pause of the tenant holds where that of the person is over',
      { says: { pausedUntil: at('2026-11-01T00:00:00Z') }, defaults: { pausedUntil: at('2026-12-01T00:00:00Z') } },
      'suppressed by paused: email paused',
    ],
    [
      'no fallback goes round a pause',
      { says: { pausedUntil: at('2026-12-01T00:00:00Z') }, want: { fallbackChannels: ['sms'] } },
      'suppressed by paused: email paused',
    ],
    [
      'the audit line is written even so',
      { says: { enabled: false }, want: { channels: ['email', 'audit'] } },
      'email opted_out, audit written',
    ],
  ],
  'preference: channels': [
    [
      'a channel that is switched off is suppressed',
      { says: { channels: { email: { enabled: false } } }, want: { channels: ['email', 'sms'] } },
      'email channel_opted_out, sms',
    ],
    [
      'where it was the only one nothing is sent',
      { says: { channels: { email: { enabled: false } } } },
      'suppressed by channel_opted_out: email channel_opted_out',
    ],
    [
      'then a fallback is used',
      { says: { channels: { email: { enabled: false } } }, want: { fallbackChannels: ['sms'] } },
      'email channel_opted_out, sms',
    ],
    [
      'a fallback that is switched off is not',
      {
        says: { channels: { email: { enabled: false }, sms: { enabled: false } } },
        want: { fallbackChannels: ['sms', 'slack'] },
      },
      'email channel_opted_out, slack',
    ],
    [
      'the tenant may switch one off',
      { defaults: { channels: { email: { enabled: false } } } },
      'suppressed by channel_opted_out: email channel_opted_out',
    ],
    [
      'and the person on again',
      { defaults: { channels: { email: { enabled: false } } }, says: { channels: { email: { enabled: true } } } },
      'email',
    ],
    [
      'an address alone says nothing of it',
      {
        defaults: { channels: { email: { enabled: false } } },
        says: { channels: { email: { address: 'b@example.com' } } },
      },
      'suppressed by channel_opted_out: email channel_opted_out',
    ],
    ['what is required uses it', { says: { channels: { email: { enabled: false } } }, category: security }, 'email'],
    [
      'the inbox can be switched off',
      { says: { channels: { in_app: { enabled: false } } }, want: { channels: ['in_app', 'email'] } },
      'in_app channel_opted_out, email',
    ],
  ],
  'preference: categories': [
    [
      'a category that is switched off is suppressed',
      { category: orders, says: said('orders', { enabled: false }) },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    [
      'one that nobody defined can be too',
      { want: { category: 'orders' }, says: said('orders', { enabled: false }) },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    ['another one goes', { category: orders, says: said('news', { enabled: false }) }, 'email'],
    [
      'what is required cannot be switched off',
      { category: security, says: said('security', { enabled: false }) },
      'email',
    ],
    ['not by the tenant either', { category: security, defaults: said('security', { enabled: false }) }, 'email'],
    [
      'one that is off for who said nothing',
      { category: { ...orders, enabled: false } },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    [
      'is on for who wants it',
      { category: { ...orders, enabled: false }, says: said('orders', { enabled: true }) },
      'email',
    ],
    [
      'or where the tenant wants it',
      { category: { ...orders, enabled: false }, defaults: said('orders', { enabled: true }) },
      'email',
    ],
    [
      'the person goes before the tenant',
      { category: orders, defaults: said('orders', { enabled: true }), says: said('orders', { enabled: false }) },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    [
      'a category does not switch on who is off',
      { category: orders, says: { enabled: false, ...said('orders', { enabled: true }) } },
      'suppressed by opted_out: email opted_out',
    ],
    [
      'nor a channel',
      {
        category: orders,
        says: { channels: { email: { enabled: false } }, ...said('orders', { channels: ['email'] }) },
      },
      'suppressed by channel_opted_out: email channel_opted_out',
    ],
    [
      'only on the channels that are wanted',
      { category: orders, want: { channels: ['email', 'sms'] }, says: said('orders', { channels: ['sms'] }) },
      'email category_channel_opted_out, sms',
    ],
    [
      'on none, if none is wanted',
      { category: orders, says: said('orders', { channels: [] }) },
      'suppressed by category_channel_opted_out: email category_channel_opted_out',
    ],
    [
      'the channels of the tenant',
      { category: orders, want: { channels: ['email', 'sms'] }, defaults: said('orders', { channels: ['sms'] }) },
      'email category_channel_opted_out, sms',
    ],
    [
      'give way to those of the person',
      {
        category: orders,
        want: { channels: ['email', 'sms'] },
        defaults: said('orders', { channels: ['sms'] }),
        says: said('orders', { channels: ['email'] }),
      },
      'email, sms category_channel_opted_out',
    ],
    [
      'the only channels that a category uses',
      { category: { ...orders, channels: ['email'] }, want: { channels: ['email', 'sms'] } },
      'email, sms category_channel_opted_out',
    ],
    [
      'are more than a person can widen',
      {
        category: { ...orders, channels: ['email'] },
        want: { channels: ['email', 'sms'] },
        says: said('orders', { channels: ['email', 'sms'] }),
      },
      'email, sms category_channel_opted_out',
    ],
    [
      'a fallback is asked too',
      {
        category: orders,
        want: { fallbackChannels: ['sms', 'slack'] },
        says: said('orders', { channels: ['email', 'slack'] }),
      },
      'email, (slack)',
    ],
    [
      'a category named like a part of every object',
      { want: { category: '__proto__' }, says: { categories: {} } },
      'email',
    ],
  ],
  'preference: event types': [
    [
      'a type that is switched off is suppressed',
      { says: { eventTypes: { 'commerce.order.shipped': { enabled: false } } } },
      'suppressed by event_type_opted_out: email event_type_opted_out',
    ],
    ['another type goes', { says: { eventTypes: { 'commerce.order.paid': { enabled: false } } } }, 'email'],
    [
      'a pattern covers its types',
      { says: { eventTypes: { 'commerce.*': { enabled: false } } } },
      'suppressed by event_type_opted_out: email event_type_opted_out',
    ],
    [
      'the type itself goes before a pattern',
      { says: { eventTypes: { 'commerce.*': { enabled: false }, 'commerce.order.shipped': { enabled: true } } } },
      'email',
    ],
    [
      'the longer pattern goes before the shorter',
      { says: { eventTypes: { '*': { enabled: false }, 'commerce.order.*': { enabled: true } } } },
      'email',
    ],
    [
      'the person goes before the tenant',
      {
        defaults: { eventTypes: { 'commerce.order.shipped': { enabled: false } } },
        says: { eventTypes: { 'commerce.order.shipped': { enabled: true } } },
      },
      'email',
    ],
    [
      'only on the channels that are wanted',
      {
        want: { channels: ['email', 'sms'] },
        says: { eventTypes: { 'commerce.order.shipped': { channels: ['email'] } } },
      },
      'email, sms event_type_channel_opted_out',
    ],
    [
      'what is required passes',
      { category: security, says: { eventTypes: { 'commerce.order.shipped': { enabled: false } } } },
      'email',
    ],
    [
      'a category that is on does not switch it on',
      {
        category: orders,
        says: { ...said('orders', { enabled: true }), eventTypes: { 'commerce.*': { enabled: false } } },
      },
      'suppressed by event_type_opted_out: email event_type_opted_out',
    ],
    ['a type named like a part of every object', { want: { type: 'constructor' }, says: { eventTypes: {} } }, 'email'],
  ],
  'preference: priority': [
    [
      'below the least priority nothing is sent',
      { says: { minPriority: 2 } },
      'suppressed by below_min_priority: email below_min_priority',
    ],
    ['at it, it is', { says: { minPriority: 1 } }, 'email'],
    ['CRITICAL is never below', { says: { minPriority: 3 }, want: critical }, 'email'],
    [
      'that of a category',
      { category: orders, says: said('orders', { minPriority: 2 }) },
      'suppressed by below_min_priority: email below_min_priority',
    ],
    [
      'that of the category itself',
      { category: { ...orders, minPriority: 2 } },
      'suppressed by below_min_priority: email below_min_priority',
    ],
    [
      'which a person may lower',
      { category: { ...orders, minPriority: 2 }, says: said('orders', { minPriority: 0 }) },
      'email',
    ],
    [
      'both must be reached',
      { category: orders, says: { minPriority: 2, ...said('orders', { minPriority: 0 }) } },
      'suppressed by below_min_priority: email below_min_priority',
    ],
    [
      'that of the tenant',
      { defaults: { minPriority: 2 } },
      'suppressed by below_min_priority: email below_min_priority',
    ],
    ['which a person may lower too', { defaults: { minPriority: 2 }, says: { minPriority: 0 } }, 'email'],
    ['what is required passes', { category: security, says: { minPriority: 3 } }, 'email'],
    [
      'the first reason is told',
      { category: orders, says: { minPriority: 3, ...said('orders', { enabled: false }) } },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    [
      'each channel has its own',
      { says: { minPriority: 2, channels: { email: { enabled: false } } }, want: { channels: ['email', 'sms'] } },
      'suppressed by channel_opted_out: email channel_opted_out, sms below_min_priority',
    ],
  ],
  digest: [
    ['a category that comes in digests', { category: { ...orders, frequency: 'digest' } }, 'fold category:orders'],
    ['for who wants it so', { category: orders, says: said('orders', { frequency: 'daily' }) }, 'fold category:orders'],
    [
      'or where the tenant does',
      { category: orders, defaults: said('orders', { frequency: 'weekly' }) },
      'fold category:orders',
    ],
    [
      'at once for who wants it at once',
      { category: { ...orders, frequency: 'daily' }, says: said('orders', { frequency: 'instant' }) },
      'email',
    ],
    ['a digest of a rule', { want: { fold: { key: 'rule:1', policy: { windowMs: 1000 } } } }, 'fold rule:1'],
    [
      'goes before that of the category',
      { category: { ...orders, frequency: 'daily' }, want: { fold: { key: 'rule:1', policy: { windowMs: 1000 } } } },
      'fold rule:1',
    ],
    [
      'is what who wants digests gets',
      {
        category: orders,
        says: said('orders', { frequency: 'digest' }),
        want: { fold: { key: 'rule:1', policy: { windowMs: 1000 } } },
      },
      'fold rule:1',
    ],
    [
      'gives way to who said how often',
      {
        category: orders,
        says: said('orders', { frequency: 'daily' }),
        want: { fold: { key: 'rule:1', policy: { windowMs: 1000 } } },
      },
      'fold category:orders',
    ],
    ['CRITICAL never waits in one', { category: { ...orders, frequency: 'daily' }, want: critical }, 'email'],
    [
      'not in that of a rule either',
      { want: { ...critical, fold: { key: 'rule:1', policy: { windowMs: 1000 } } } },
      'email',
    ],
    [
      'a digest is not folded again',
      { category: { ...orders, frequency: 'daily' }, want: { isDigest: true } },
      'email',
    ],
    [
      'what nobody would get is not folded',
      { category: { ...orders, frequency: 'daily' }, person: { suppressions: { email: bounced } } },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'with one channel left it is',
      {
        category: { ...orders, frequency: 'daily' },
        person: { suppressions: { email: bounced } },
        want: { channels: ['email', 'sms'] },
      },
      'fold category:orders',
    ],
    [
      'with a fallback left it is',
      {
        category: { ...orders, frequency: 'daily' },
        person: { suppressions: { email: bounced } },
        want: { fallbackChannels: ['sms'] },
      },
      'fold category:orders',
    ],
    [
      'an audit line alone is not folded',
      { category: { ...orders, frequency: 'daily' }, want: { channels: ['audit'] } },
      'audit written',
    ],
    [
      'of what is required nobody says how often',
      { category: security, says: said('security', { frequency: 'weekly' }) },
      'email',
    ],
    [
      'consent is asked before',
      { category: { ...news, frequency: 'daily' } },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'it waits in the digest, whatever the hour',
      {
        category: { ...orders, frequency: 'daily' },
        says: { quietHours: { enabled: true, startTime: '00:00', endTime: '23:59', allowCritical: false } },
      },
      'fold category:orders',
    ],
  ],
}

for (const [gate, cases] of Object.entries(matrix)) {
  for (const [name, given, expected] of cases) {
    test(`${gate}: ${name}`, () => assert.equal(inALine(decisionOf(given)), expected))
  }
}

test('the matrix has no two cases of one name', () => {
  const names = Object.entries(matrix).flatMap(([gate, cases]) => cases.map(([name]) => `${gate}: ${name}`))
  assert.equal(new Set(names).size, names.length)
})
