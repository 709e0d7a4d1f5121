import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { preferencesAt } from '../../src/store/preferences.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = `userId enabled timezone locale channels categories eventTypes minPriority pausedUntil own version updatedBy
  quietHours { enabled startTime endTime timezone days allowCritical }`
const update = `mutation ($userId: ID!, $input: PreferencesInput!, $changedBy: String) {
  updateUserPreferences(userId: $userId, input: $input, changedBy: $changedBy) { ${fields} } }`
const updateDefaults = `mutation ($input: PreferencesInput!) { updatePreferenceDefaults(input: $input) { ${fields} } }`
const read = `query ($userId: ID!) { userNotificationPreferences(userId: $userId) { ${fields} updatedAt } }`
const history = `query ($userId: ID, $first: Int, $before: Int) {
  preferenceHistory(userId: $userId, first: $first, before: $before) { version preferences validFrom validTo changedBy } }`

const set = async (userId: string, input: object): Promise<Data> =>
  (await world.data(update, { userId, input })).updateUserPreferences
const get = async (userId: string): Promise<Data> => (await world.data(read, { userId })).userNotificationPreferences

describe('preferences of a user', () => {
  it('of whom nothing is known are what holds for everybody', async () => {
    const { updatedAt, ...nobody } = await get('nobody')
    assert.ok(Date.parse(updatedAt))
    assert.deepEqual(nobody, {
      userId: 'nobody',
      enabled: true,
      timezone: 'UTC',
      locale: 'en',
      channels: {},
      categories: {},
      eventTypes: {},
      minPriority: null,
      pausedUntil: null,
      own: {},
      version: 0,
      updatedBy: null,
      quietHours: null,
    })
  })

  it('are told as they were said, and merged', async () => {
    const first = await set('ann', {
      timezone: 'Europe/Berlin',
      locale: 'de',
      channels: { email: { enabled: true, address: 'ann@example.org' }, SMS: { enabled: false } },
      categories: { news: { enabled: true, channels: ['EMAIL'], minPriority: 'HIGH', frequency: 'daily' } },
      eventTypes: { 'shop.order.shipped': { channels: ['push'] } },
      quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', days: [0, 5] },
      minPriority: 'LOW',
      pausedUntil: '2027-01-01T00:00:00+01:00',
    })
    const { own, ...shown } = first
    assert.deepEqual(shown, {
      userId: 'ann',
      enabled: true,
      timezone: 'Europe/Berlin',
      locale: 'de',
      channels: { email: { enabled: true, address: 'ann@example.org' }, sms: { enabled: false } },
      categories: { news: { enabled: true, channels: ['email'], minPriority: 'HIGH', frequency: 'daily' } },
      eventTypes: { 'shop.order.shipped': { channels: ['push'] } },
      minPriority: 'LOW',
      pausedUntil: '2026-12-31T23:00:00.000Z',
      version: 1,
      updatedBy: `key ${world.keyId}`,
      quietHours: {
        enabled: true,
        startTime: '22:00',
        endTime: '07:00',
        timezone: 'Europe/Berlin',
        days: [5, 7],
        allowCritical: true,
      },
    })
    assert.equal(own.minPriority, 'LOW')
    const second = await set('ann', { channels: { sms: null }, quietHours: null, pausedUntil: null })
    assert.deepEqual(second.channels, { email: { enabled: true, address: 'ann@example.org' } })
    assert.deepEqual([second.quietHours, second.pausedUntil, second.version], [null, null, 2])
    const { updatedAt: _, ...same } = await get('ann')
    assert.deepEqual(same, second)
  })

  it('begin where the defaults of the tenant end', async () => {
    const defaults = {
      timezone: 'Asia/Tokyo',
      categories: { tips: { enabled: false }, alerts: { frequency: 'hourly' } },
      quietHours: { enabled: true, startTime: '21:00', endTime: '08:00' },
    }
    const told = (await world.data(updateDefaults, { input: defaults })).updatePreferenceDefaults
    assert.deepEqual([told.userId, told.version, told.categories], ['', 1, defaults.categories])
    const before = await get('bea')
    assert.deepEqual([before.timezone, before.quietHours.timezone, before.version], ['Asia/Tokyo', 'Asia/Tokyo', 0])
    const after = await set('bea', {
      categories: { tips: { enabled: true } },
      quietHours: { enabled: false, startTime: '23:00', endTime: '06:00', allowCritical: false },
    })
    assert.deepEqual(after.categories, { tips: { enabled: true }, alerts: { frequency: 'hourly' } })
    assert.deepEqual(after.own.categories, { tips: { enabled: true } })
    assert.deepEqual([after.quietHours.startTime, after.quietHours.allowCritical], ['23:00', false])
    await world.data(updateDefaults, { input: { timezone: null, categories: null, quietHours: null } })
    const { preferenceDefaults } = await world.data(`{ preferenceDefaults { ${fields} } }`)
    assert.deepEqual(preferenceDefaults.own, {})
    assert.equal((await world.data(history)).preferenceHistory.length, 2)
  })

  it('are another tenant’s own', async () => {
    await set('cid', { enabled: false })
    const other = await world.data(read, { userId: 'cid' }, { key: world.otherKey })
    assert.equal(other.userNotificationPreferences.enabled, true)
  })

  it('are kept as history, newest first, by pages, and found again for any moment', async () => {
    const start = world.clock.now()
    for (const [index, enabled] of [false, true, false].entries()) {
      await world.data(update, { userId: 'dan', input: { enabled }, changedBy: index === 1 ? 'support' : null })
      world.clock.advance(60_000)
    }
    const versions = (await world.data(history, { userId: 'dan', first: 2 })).preferenceHistory
    assert.deepEqual(
      versions.map(({ version, preferences, validFrom, validTo, changedBy }: Data) => [
        version,
        preferences.enabled,
        (Date.parse(validFrom) - start.getTime()) / 60_000,
        validTo && (Date.parse(validTo) - start.getTime()) / 60_000,
        changedBy,
      ]),
      [
        [3, false, 2, null, `key ${world.keyId}`],
        [2, true, 1, 2, 'support'],
      ],
    )
    const older = (await world.data(history, { userId: 'dan', before: 2 })).preferenceHistory
    assert.deepEqual(
      older.map(({ version }: Data) => version),
      [1],
    )
    const at = async (minutes: number) => {
      const moment = new Date(start.getTime() + minutes * 60_000)
      return (await preferencesAt(world.worker, world.tenant, ['dan', 'nobody'], moment)).get('dan')
    }
    assert.equal(await at(-1), undefined)
    assert.deepEqual(await at(0), { version: 1, said: { enabled: false } })
    assert.deepEqual(await at(1.5), { version: 2, said: { enabled: true } })
    assert.deepEqual(await at(99), { version: 3, said: { enabled: false } })
  })

  const refused: [string, object, string[], RegExp][] = [
    ['a zone that is none', { timezone: 'Berlin' }, ['input', 'timezone'], /IANA/],
    ['a locale that is none', { locale: '_' }, ['input', 'locale'], /BCP 47/],
    [
      'a zone of quiet hours',
      { quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', timezone: 'x/y' } },
      ['input', 'quietHours', 'timezone'],
      /IANA/,
    ],
    [
      'a time of day',
      { quietHours: { enabled: true, startTime: '9', endTime: '07:00' } },
      ['input', 'quietHours', 'startTime'],
      /HH:MM/,
    ],
    ['an unknown channel', { channels: { fax: { enabled: true } } }, ['input', 'channels', 'fax'], /is not a channel/],
    ['channels that are a list', { channels: ['email'] }, ['input', 'channels'], /must be an object/],
    [
      'a field of a category with a dot',
      { categories: { 'a.b': { frequency: 'never' } } },
      ['input', 'categories', 'a.b', 'frequency'],
      /must be instant/,
    ],
    ['an unknown field', { categories: { a: { on: true } } }, ['input', 'categories', 'a', 'on'], /is not known/],
    ['a pause without an offset', { pausedUntil: '2027-01-01T00:00:00' }, ['input', 'pausedUntil'], /ISO 8601/],
    ['a NUL', { channels: { slack: { address: 'a\u0000b' } } }, [], /cannot be stored/],
  ]
  for (const [name, input, path, message] of refused) {
    it(`refuse ${name}, and name the field`, async () => {
      const error = await world.error(update, { userId: 'eve', input })
      assert.match(error.message, message)
      if (path.length > 0) assert.deepEqual(error.extensions.path, path)
      assert.match(error.extensions.code, /^(VALIDATION_FAILED|BAD_USER_INPUT)$/)
    })
  }

  it('need an id of the user, and the right scope', async () => {
    assert.deepEqual((await world.error(update, { userId: '', input: {} })).extensions.path, ['userId'])
    assert.deepEqual((await world.error(update, { userId: 'x'.repeat(256), input: {} })).extensions.path, ['userId'])
    const { key } = await world.newKey(['read'])
    assert.equal((await world.error(update, { userId: 'a', input: {} }, { key })).extensions.code, 'FORBIDDEN')
    await world.data(read, { userId: 'a' }, { key })
  })
})
