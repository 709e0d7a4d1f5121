import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Consent, Suppression } from '../../src/domain/person.ts'
import type { Preferences } from '../../src/domain/preferences.ts'
import { decisionOf, type Given, inALine } from '../support/verdicts.ts'

const at = (iso: string) => new Date(iso)
const bounced: Suppression = { reason: 'hard_bounce', source: 'smtp', at: at('2026-11-01T00:00:00Z') }
const agreed: Consent = { granted: true, at: at('2026-11-01T00:00:00Z'), source: 'signup' }
const withdrawn: Consent = { granted: false, at: at('2026-11-02T00:00:00Z'), source: 'link' }
const orders = { name: 'orders' }
const news = { name: 'news', marketing: true }
const security = { name: 'security', required: true }
const critical = { priority: 3 }
const said = (name: string, preference: NonNullable<Preferences['categories']>[string]): Preferences => ({
  categories: { [name]: preference },
})

const matrix: Record<string, [string, Given, string][]> = {
  silence: [
    [
      'a silence stops it',
      { want: { heldBack: { reason: 'silenced', id: 's1' } } },
      'suppressed by silenced: email silenced',
    ],
    [
      'an inhibition stops it',
      { want: { heldBack: { reason: 'inhibited', id: 'i1' } } },
      'suppressed by inhibited: email inhibited',
    ],
    [
      'a silence stops all channels',
      { want: { channels: ['email', 'in_app'], heldBack: { reason: 'silenced', id: 's1' } } },
      'suppressed by silenced: email silenced, in_app silenced',
    ],
    [
      'CRITICAL is silenced too',
      { want: { ...critical, heldBack: { reason: 'silenced', id: 's1' } } },
      'suppressed by silenced: email silenced',
    ],
    [
      'a silence goes before expiry',
      { want: { heldBack: { reason: 'silenced', id: 's1' }, expiresAt: at('2026-11-20T11:00:00Z') } },
      'suppressed by silenced: email silenced',
    ],
    [
      'a silence opens no fallback',
      { want: { heldBack: { reason: 'silenced', id: 's1' }, fallbackChannels: ['sms'] } },
      'suppressed by silenced: email silenced',
    ],
  ],
  'validity and expiry': [
    ['what is past its expiry is expired', { want: { expiresAt: at('2026-11-20T11:59:00Z') } }, 'expired by expired'],
    [
      'at the moment of its expiry it is expired',
      { want: { expiresAt: at('2026-11-20T12:00:00Z') } },
      'expired by expired',
    ],
    ['a millisecond before it is not', { want: { expiresAt: at('2026-11-20T12:00:00.001Z') } }, 'email'],
    ['a template that is not there fails', { want: { template: null } }, 'failed by template_not_found'],
    [
      'expiry goes before the template',
      { want: { template: null, expiresAt: at('2026-11-20T11:00:00Z') } },
      'expired by expired',
    ],
    [
      'a channel that is switched off is suppressed',
      { want: { channels: ['email', 'sms'] }, settings: { enabledChannels: ['email'] } },
      'email, sms channel_disabled',
    ],
    [
      'where all are switched off nothing is sent',
      { settings: { enabledChannels: ['sms'] } },
      'suppressed by channel_disabled: email channel_disabled',
    ],
    [
      'a channel without an address is suppressed',
      { want: { channels: ['telegram', 'email'] } },
      'telegram no_address, email',
    ],
    [
      'a preferred address is an address',
      { want: { channels: ['telegram'] }, says: { channels: { telegram: { address: '@ann' } } } },
      'telegram',
    ],
    [
      'expiry goes before the recipient',
      { person: { enabled: false }, want: { template: null } },
      'failed by template_not_found',
    ],
  ],
  recipient: [
    [
      'who is switched off gets nothing',
      { person: { enabled: false } },
      'suppressed by recipient_disabled: email recipient_disabled',
    ],
    [
      'not even CRITICAL',
      { person: { enabled: false }, want: critical },
      'suppressed by recipient_disabled: email recipient_disabled',
    ],
    [
      'nor what is required',
      { person: { enabled: false }, category: security },
      'suppressed by recipient_disabled: email recipient_disabled',
    ],
    [
      'nor by a fallback',
      { person: { enabled: false }, want: { fallbackChannels: ['sms'] } },
      'suppressed by recipient_disabled: email recipient_disabled',
    ],
    [
      'the recipient goes before suppressions',
      { person: { enabled: false, suppressions: { email: bounced } } },
      'suppressed by recipient_disabled: email recipient_disabled',
    ],
  ],
  suppression: [
    [
      'an address that bounced gets nothing',
      { person: { suppressions: { email: bounced } } },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'another channel does',
      { person: { suppressions: { email: bounced } }, want: { channels: ['email', 'sms'] } },
      'email address_suppressed, sms',
    ],
    [
      'CRITICAL does not pass',
      { person: { suppressions: { email: bounced } }, want: critical },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'what is required does not pass',
      { person: { suppressions: { email: bounced } }, category: security },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'one that is expired does not count',
      { person: { suppressions: { email: { ...bounced, expiresAt: at('2026-11-20T12:00:00Z') } } } },
      'email',
    ],
    [
      'one that expires later counts',
      { person: { suppressions: { email: { ...bounced, expiresAt: at('2026-11-20T12:00:01Z') } } } },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'one on the list by hand counts as a bounce does',
      { person: { suppressions: { email: { ...bounced, reason: 'manual' } } } },
      'suppressed by address_suppressed: email address_suppressed',
    ],
    [
      'the fallback is used at once',
      { person: { suppressions: { email: bounced } }, want: { fallbackChannels: ['sms', 'slack'] } },
      'email address_suppressed, sms, (slack)',
    ],
    [
      'a suppressed fallback is left out',
      { person: { suppressions: { sms: bounced } }, want: { fallbackChannels: ['sms', 'slack'] } },
      'email, (slack)',
    ],
    [
      'where both are suppressed the next fallback is used',
      {
        person: { suppressions: { email: bounced, sms: bounced } },
        want: { fallbackChannels: ['sms', 'slack'] },
      },
      'email address_suppressed, slack',
    ],
    [
      'suppression goes before consent',
      { person: { suppressions: { email: bounced } }, category: news },
      'suppressed by address_suppressed: email address_suppressed',
    ],
  ],
  consent: [
    ['marketing needs consent', { category: news }, 'suppressed by no_consent: email no_consent'],
    ['with consent it goes', { category: news, person: { consents: { news: agreed } } }, 'email'],
    [
      'consent that was withdrawn is none',
      { category: news, person: { consents: { news: withdrawn } } },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'consent to another category is none',
      { category: news, person: { consents: { offers: agreed } } },
      'suppressed by no_consent: email no_consent',
    ],
    ['what is no marketing needs none', { category: orders }, 'email'],
    [
      'but where it was withdrawn that counts',
      { category: orders, person: { consents: { orders: withdrawn } } },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'of what is required nothing can be withdrawn',
      { category: security, person: { consents: { security: withdrawn } } },
      'email',
    ],
    ['no category needs none', {}, 'email'],
    [
      'marketing that nobody defined needs consent',
      { want: { category: 'marketing' } },
      'suppressed by no_consent: email no_consent',
    ],
    ['and what is below it', { want: { category: 'marketing.spring' } }, 'suppressed by no_consent: email no_consent'],
    ['a category that only begins so does not', { want: { category: 'marketingteam' } }, 'email'],
    [
      'CRITICAL marketing needs consent',
      { category: news, want: critical },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'consent is asked on every channel, the inbox too',
      { category: news, want: { channels: ['email', 'in_app'] } },
      'suppressed by no_consent: email no_consent, in_app no_consent',
    ],
    [
      'no fallback goes round it',
      { category: news, want: { fallbackChannels: ['sms'] } },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'consent goes before preferences',
      { category: news, says: { enabled: false } },
      'suppressed by no_consent: email no_consent',
    ],
    [
      'consent is no preference: who is opted out gets nothing',
      { category: news, person: { consents: { news: agreed } }, defaults: said('news', { enabled: false }) },
      'suppressed by category_opted_out: email category_opted_out',
    ],
    ['a system is nobody to agree', { category: news, person: { type: 'system' } }, 'email'],
    [
      'a category named like a part of every object has no consent',
      { category: { name: 'constructor', marketing: true } },
      'suppressed by no_consent: email no_consent',
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
