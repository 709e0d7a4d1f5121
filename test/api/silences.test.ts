import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileSilences, silenced } from '../../src/domain/silences.ts'
import { loadSilences } from '../../src/store/silences.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()
const hourMs = 3_600_000
const inMs = (ms: number) => new Date(world.clock.now().getTime() + ms).toISOString()

const all = 'id matcher startsAt endsAt recurrence { cron rrule timezone } duration author comment state holding'
const create = `mutation ($input: SilenceInput!) { createSilence(input: $input) { ${all} } }`
const update = `mutation ($id: ID!, $input: SilenceInput!) { updateSilence(id: $id, input: $input) { ${all} } }`
const end = `mutation ($id: ID!) { endSilence(id: $id) { ${all} } }`
const list = `query ($state: SilenceState, $first: Int, $after: ID) { silences(state: $state, first: $first, after: $after) { ${all} } }`

const aSilence = (changes: object = {}) => ({
  matcher: 'event.data.host == "db-1"',
  endsAt: inMs(hourMs),
  author: 'ann',
  comment: 'the disk is exchanged',
  ...changes,
})
const created = async (changes: object = {}): Promise<Data> =>
  (await world.data(create, { input: aSilence(changes) })).createSilence
const listed = async (state?: string): Promise<string[]> =>
  (await world.data(list, { state })).silences.map(({ id }: Data) => id)

describe('a silence', () => {
  it('begins now, ends when it is said, and stays listed', async () => {
    const { id, startsAt, ...rest } = await created()
    assert.equal(startsAt, inMs(0))
    assert.deepEqual(rest, {
      ...aSilence(),
      recurrence: null,
      duration: null,
      state: 'ACTIVE',
      holding: true,
    })
    const [loaded] = compileSilences(await loadSilences(world.worker, world.tenant, world.clock.now()))
    assert.equal(loaded?.silence.id, id)
    assert.ok((await listed('ACTIVE')).includes(id))
    world.clock.advance(hourMs)
    assert.ok((await listed('EXPIRED')).includes(id))
    assert.deepEqual(await loadSilences(world.worker, world.tenant, world.clock.now()), [])
  })

  it('is ended now, and is not written anew then', async () => {
    const { id } = await created()
    world.clock.advance(60_000)
    const { endSilence: ended } = await world.data(end, { id })
    assert.equal(ended.state, 'EXPIRED')
    assert.equal(ended.endsAt, inMs(0))
    world.clock.advance(60_000)
    assert.equal((await world.data(end, { id })).endSilence.endsAt, inMs(-60_000), 'its end stays')
    assert.deepEqual((await world.error(update, { id, input: aSilence() })).extensions.path, ['id'])
  })

  it('that has not begun is pending, and may be ended before', async () => {
    const { id, state } = await created({ startsAt: inMs(hourMs), endsAt: inMs(2 * hourMs) })
    assert.equal(state, 'PENDING')
    assert.equal((await world.data(end, { id })).endSilence.state, 'EXPIRED')
  })

  it('is written anew', async () => {
    const { id, startsAt } = await created()
    world.clock.advance(1_000)
    const input = aSilence({ matcher: 'true', comment: 'everything' })
    const { updateSilence: updated } = await world.data(update, { id, input })
    assert.equal(updated.matcher, 'true')
    assert.equal(updated.startsAt, startsAt)
  })

  it('that comes again is a maintenance window', async () => {
    world.clock.set('2026-11-20T10:00:00Z')
    const { id, ...said } = await created({
      endsAt: undefined,
      recurrence: { cron: '0 2 * * 7', timezone: 'Europe/Berlin' },
      duration: 7_200,
    })
    assert.equal(said.duration, 7_200)
    assert.equal(said.state, 'ACTIVE')
    assert.equal(said.holding, false)
    world.clock.set('2026-11-22T02:59:59Z')
    const found = (await world.data(list, { state: 'ACTIVE' })).silences.find((one: Data) => one.id === id)
    assert.equal(found.holding, true)
    world.clock.set('2026-11-22T03:00:00Z')
    const [compiled] = compileSilences(await loadSilences(world.worker, world.tenant, world.clock.now())).filter(
      ({ silence }) => silence.id === id,
    )
    assert.deepEqual(silenced([compiled!], [], world.clock.now()), new Map())
    assert.equal(compiled!.windowAt(world.clock.now()), undefined)
    await world.data(end, { id })
  })

  it('is listed in pages, the newest first', async () => {
    const ids = [await created(), await created(), await created()].map(({ id }) => id)
    const { silences: first } = await world.data(list, { first: 2 })
    assert.deepEqual(
      first.map(({ id }: Data) => id),
      [ids[2], ids[1]],
    )
    const { silences: second } = await world.data(list, { first: 1, after: ids[1] })
    assert.equal(second[0].id, ids[0])
  })

  it('is not seen and not changed by another tenant', async () => {
    const { id } = await created()
    const other = { key: world.otherKey }
    assert.deepEqual((await world.data(list, {}, other)).silences, [])
    assert.equal((await world.error(end, { id }, other)).extensions.code, 'NOT_FOUND')
    assert.equal((await world.error(update, { id, input: aSilence() }, other)).extensions.code, 'NOT_FOUND')
  })

  it('needs the scope "manage"', async () => {
    const { key } = await world.newKey(['read', 'send'])
    assert.equal((await world.error(create, { input: aSilence() }, { key })).extensions.code, 'FORBIDDEN')
    assert.equal((await world.error(list, {}, { key })).extensions.code, 'FORBIDDEN')
  })

  const faults: [name: string, changes: () => object, path: string, message?: RegExp][] = [
    ['a matcher that is no CEL', () => ({ matcher: 'event.type ==' }), 'matcher', /at column 1/],
    ['a matcher that is no condition', () => ({ matcher: 'event.type' }), 'matcher', /true or false/],
    ['a matcher of a field that there is not', () => ({ matcher: 'event.kind == "a"' }), 'matcher', /at column 7/],
    ['a matcher of recipients', () => ({ matcher: 'recipient.id == "ann"' }), 'matcher'],
    ['no end', () => ({ endsAt: undefined }), 'endsAt'],
    ['an end before its beginning', () => ({ startsAt: inMs(2 * hourMs) }), 'endsAt'],
    ['an end in the past', () => ({ startsAt: inMs(-2 * hourMs), endsAt: inMs(-hourMs) }), 'endsAt'],
    ['no author', () => ({ author: '' }), 'author'],
    ['no comment', () => ({ comment: '' }), 'comment'],
    ['a duration without a recurrence', () => ({ duration: 60 }), 'duration'],
    ['a recurrence without a duration', () => ({ recurrence: { cron: '0 2 * * 7' } }), 'duration'],
    ['a recurrence of nothing', () => ({ recurrence: {}, duration: 60 }), 'recurrence'],
    ['a cron expression that is none', () => ({ recurrence: { cron: '99 * * * *' }, duration: 60 }), 'recurrence.cron'],
    ['an RRULE that is none', () => ({ recurrence: { rrule: 'FREQ=NEVER' }, duration: 60 }), 'recurrence.rrule'],
    [
      'an unknown zone',
      () => ({ recurrence: { cron: '0 2 * * 7', timezone: 'Mars/Base' }, duration: 60 }),
      'recurrence.timezone',
    ],
  ]
  for (const [name, changes, path, message] of faults) {
    it(`is refused for ${name}, naming ${path}`, async () => {
      const error = await world.error(create, { input: aSilence({ endsAt: inMs(hourMs), ...changes() }) })
      assert.equal(error.extensions.code, 'VALIDATION_FAILED')
      assert.equal(error.extensions.path?.join('.'), `input.${path}`)
      if (message) assert.match(error.message, message)
    })
  }
})
