import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadCategories } from '../../src/store/categories.ts'
import { loadDefaults } from '../../src/store/preferences.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = `name description required marketing enabled channels minPriority frequency onExcess
  digest { window sliding longest size cron rrule timezone template } sendWindow { startTime endTime timezone days }`
const upsert = `mutation ($input: CategoryInput!) { upsertCategory(input: $input) { ${fields} } }`
const write = async (input: object): Promise<Data> => (await world.data(upsert, { input })).upsertCategory

describe('a category', () => {
  it('is made by its name alone, and does what is usual', async () => {
    assert.deepEqual(await write({ name: 'orders' }), {
      name: 'orders',
      description: null,
      required: false,
      marketing: false,
      enabled: true,
      channels: null,
      minPriority: null,
      frequency: 'INSTANT',
      onExcess: 'SNOOZE',
      digest: null,
      sendWindow: null,
    })
    assert.equal((await write({ name: 'offers', marketing: true })).onExcess, 'SUPPRESS')
  })

  it('is written as it shall be, and the gates see it so', async () => {
    await write({ name: 'news', description: 'old', enabled: false })
    const input = {
      name: 'news',
      channels: ['EMAIL', 'IN_APP', 'EMAIL'],
      minPriority: 'HIGH',
      frequency: 'DIGEST',
      digest: { window: 600, sliding: true, longest: 3600, size: 50, template: 'news-digest' },
      sendWindow: { startTime: '09:00', endTime: '18:00', timezone: 'Europe/Berlin', days: [1, 0] },
      onExcess: 'SUPPRESS',
    }
    const news = await write(input)
    assert.deepEqual(news.digest, { ...input.digest, cron: null, rrule: null, timezone: null })
    assert.deepEqual([news.description, news.enabled, news.channels], [null, true, ['EMAIL', 'IN_APP']])
    assert.deepEqual((await loadCategories(world.worker, world.tenant)).get('news'), {
      name: 'news',
      required: false,
      marketing: false,
      enabled: true,
      channels: ['email', 'in_app'],
      minPriority: 2,
      frequency: 'digest',
      digest: { windowMs: 600_000, sliding: true, longestMs: 3_600_000, size: 50, template: 'news-digest' },
      sendWindow: { startTime: '09:00', endTime: '18:00', timezone: 'Europe/Berlin', days: [1, 7] },
      onExcess: 'suppress',
    })
    const workdays = { startTime: '00:00', endTime: '00:00', timezone: null, days: [1, 2, 3, 4, 5] }
    assert.deepEqual((await write({ name: 'news', sendWindow: workdays })).sendWindow, workdays)
    const weekly = await write({
      name: 'news',
      frequency: 'DIGEST',
      digest: { cron: '0 9 * * 1', timezone: 'Asia/Tokyo' },
    })
    assert.deepEqual(
      [weekly.digest.cron, weekly.digest.timezone, weekly.digest.window],
      ['0 9 * * 1', 'Asia/Tokyo', null],
    )
  })

  it('is listed by name, found, and deleted once', async () => {
    const { categories } = await world.data(`{ categories { name } }`)
    assert.deepEqual(
      categories.map(({ name }: Data) => name),
      ['news', 'offers', 'orders'],
    )
    const remove = `mutation { deleteCategory(name: "offers") }`
    assert.equal((await world.data(remove)).deleteCategory, true)
    assert.equal((await world.data(remove)).deleteCategory, false)
    assert.equal((await world.data(`{ category(name: "offers") { name } }`)).category, null)
    assert.equal(
      (await world.data(`{ category(name: "orders") { name } }`, {}, { key: world.otherKey })).category,
      null,
    )
  })

  it('is a setting: each change of one raises the version of the tenant’s settings', async () => {
    const version = async () =>
      (await world.rows('select version from carillon.settings_versions where tenant_id = $1', [world.tenant]))[0]!
        .version
    const before = BigInt(await version())
    await write({ name: 'a' })
    await write({ name: 'a', enabled: false })
    await world.data(`mutation { deleteCategory(name: "a") }`)
    assert.ok(BigInt(await version()) >= before + 3n)
    assert.equal(await loadDefaults(world.worker, world.tenant), undefined)
  })

  const refused: [string, object, string[]][] = [
    ['without a name', { name: '' }, ['name']],
    ['with a name of two lines', { name: 'a\nb' }, ['name']],
    ['that is marketing and required', { required: true, marketing: true }, ['required']],
    ['that is required and off', { required: true, enabled: false }, ['enabled']],
    ['with no channel', { channels: [] }, ['channels']],
    ['with a digest and no policy', { frequency: 'DIGEST' }, ['digest']],
    ['with a digest that never closes', { digest: { size: 3 } }, ['digest', 'window']],
    ['with a digest that closes twice', { digest: { window: 60, cron: '0 9 * * *' } }, ['digest', 'window']],
    [
      'with a longest wait shorter than the window',
      { digest: { window: 60, sliding: true, longest: 30 } },
      ['digest', 'longest'],
    ],
    ['with a bad cron', { digest: { cron: '61 * * * *' } }, ['digest', 'cron']],
    ['with a bad rrule', { digest: { rrule: 'FREQ=SOMETIMES' } }, ['digest', 'rrule']],
    ['with a bad zone', { digest: { cron: '0 9 * * *', timezone: 'x' } }, ['digest', 'timezone']],
    ['with a bad window', { sendWindow: { startTime: '9:00', endTime: '18:00' } }, ['sendWindow', 'startTime']],
    ['with a window of no length', { sendWindow: { startTime: '09:00', endTime: '09:00' } }, ['sendWindow', 'endTime']],
    [
      'with a bad day',
      { sendWindow: { startTime: '09:00', endTime: '18:00', days: [9] } },
      ['sendWindow', 'days', '0'],
    ],
  ]
  for (const [name, input, path] of refused) {
    it(`${name} is refused, with the field's name`, async () => {
      const { extensions } = await world.error(upsert, { input: { name: 'bad', ...input } })
      assert.equal(extensions.code, 'VALIDATION_FAILED')
      assert.deepEqual(extensions.path, ['input', ...path])
    })
  }
})
