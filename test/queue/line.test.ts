import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLine, type Unit } from '../../src/queue/line.ts'

interface Held {
  tenant: string
  size: number
  end(): Promise<void>
}

function world(limits: Partial<Parameters<typeof createLine>[0]> = {}) {
  const begun: Held[] = []
  const tracked: Promise<void>[] = []
  let freed = 0
  const line = createLine(
    { concurrency: 2, maxSize: 1_000, worthOwn: 0, room: 1_000, ...limits },
    {
      async run(unit) {
        const held = Promise.withResolvers<void>()
        begun.push({
          tenant: unit.tenant,
          size: unit.size,
          async end() {
            held.resolve()
            await Promise.all(tracked.slice(0, 1))
            await new Promise((resolve) => setImmediate(resolve))
          },
        })
        await held.promise
      },
      track: (work) => tracked.push(work),
      onFree: () => freed++,
    },
  )
  const add = (tenant: string, size = 1, merge?: Unit['merge'], priority = 0) => {
    line.take(tenant, size)
    line.add({ tenant, priority, jobs: [], size, work: async () => {}, merge })
  }
  return { line, begun, add, freed: () => freed }
}

const mergeable = (size: number): Unit['merge'] =>
  function merge(next) {
    return { ...next, size: size + next.size, merge: mergeable(size + next.size) }
  }

test('a tenant with a long line keeps nobody else waiting: each has its turn, and a newcomer begins at once', () => {
  const { add, begun } = world()
  for (let n = 0; n < 5; n++) add('loud')
  assert.equal(begun.length, 2)
  add('quiet')
  assert.deepEqual(
    begun.map(({ tenant }) => tenant),
    ['loud', 'loud', 'quiet'],
  )
})

test('tenants take turns', async () => {
  const { add, begun } = world({ concurrency: 1 })
  for (const tenant of ['a', 'a', 'a', 'b', 'b']) add(tenant)
  for (let n = 0; n < 5; n++) await begun[n]!.end()
  assert.deepEqual(begun.map(({ tenant }) => tenant).join(''), 'ababa')
})

test('one tenant cannot take all of the room, and says when it has its share', () => {
  const { line, add } = world({ concurrency: 1 })
  assert.equal(line.hasRoomFor('loud', 751), false)
  assert.equal(line.hasRoomFor('loud', 750), true)
  add('loud', 900) // fetched, more than was thought
  assert.deepEqual(line.fullTenants(), ['loud'])
  assert.equal(line.hasRoomFor('loud', 1), false)
  assert.equal(line.hasRoomFor('quiet', 250), true)
  assert.equal(line.room(), 250)
})

test('room is free again when a unit has ended, and by giving a reservation back', async () => {
  const { line, add, begun, freed } = world()
  line.take('a', 100)
  add('a', 400)
  assert.equal(line.room(), 500)
  line.giveBack('a', 100)
  await begun[0]!.end()
  assert.equal(line.room(), 1_000)
  assert.equal(freed(), 1)
})

test('small units grow together while one of their tenant runs', async () => {
  const { add, begun } = world({ worthOwn: 100 })
  add('a', 1, mergeable(1))
  for (let n = 0; n < 10; n++) add('a', 1, mergeable(1))
  assert.equal(begun.length, 1)
  await begun[0]!.end()
  assert.deepEqual(
    begun.map(({ size }) => size),
    [1, 10],
  )
})

test('what waits is begun at once when everything is to be handed back', () => {
  const { line, add, begun } = world({ concurrency: 1, maxSize: 1 })
  for (let n = 0; n < 5; n++) add('a')
  line.openUp()
  assert.equal(begun.length, 5)
})

test('of one tenant the greater priority goes first, and among equals the one that came first', async () => {
  const { add, begun } = world({ concurrency: 1 })
  add('a', 1)
  for (const [size, priority] of [
    [10, 0],
    [20, 1],
    [11, 0],
    [21, 1],
    [30, 2],
  ] as const)
    add('a', size, undefined, priority)
  for (let n = 0; n < 6; n++) await begun[n]!.end()
  assert.deepEqual(
    begun.map(({ size }) => size),
    [1, 30, 20, 21, 10, 11],
  )
})
