import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { getIntrospectionQuery } from 'graphql'
import { revokeApiKey } from '../../src/store/api-keys.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'

const world = await createApiWorld({
  env: { GRAPHQL_MAX_DEPTH: '5', GRAPHQL_MAX_ALIASES: '3', GRAPHQL_MAX_COST: '1000' },
})

const typename = '{ __typename }'

describe('a key', () => {
  const { tenant } = world
  const cases: [string, string][] = [
    ['that is missing', ''],
    ['that is none', 'nonsense'],
    ['with a wrong secret', `${world.key.slice(0, -3)}AAA`],
    ['of no tenant', world.key.replace(tenant.replaceAll('-', ''), '0'.repeat(32))],
    [
      "with another tenant's name on it",
      world.key.replace(tenant.replaceAll('-', ''), world.otherTenant.replaceAll('-', '')),
    ],
  ]
  for (const [name, key] of cases) {
    it(`${name} is UNAUTHENTICATED`, async () => {
      const response = await world.post(typename, undefined, { key })
      assert.equal(response.status, 401)
      assert.equal(response.headers.get('www-authenticate'), 'Bearer')
      assert.equal(
        ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code,
        'UNAUTHENTICATED',
      )
    })
  }

  it('may come as X-API-Key', async () => {
    const response = await world.post(typename, undefined, { key: '', headers: { 'x-api-key': world.key } })
    assert.equal(response.status, 200)
  })

  it('that is revoked is refused five seconds later at the latest', async () => {
    const { id, key } = await world.newKey(['read'])
    assert.equal((await world.post(typename, undefined, { key })).status, 200)
    await revokeApiKey(world.worker, world.tenant, id, world.clock.now())
    world.clock.advance(5_000)
    assert.equal((await world.post(typename, undefined, { key })).status, 401)
  })

  it('is stored as a hash', async () => {
    const [row] = await world.rows('select * from carillon.api_keys where id = $1', [world.keyId])
    assert.ok(!JSON.stringify(row).includes(world.key.slice(-43)))
    assert.equal((row!.secret_hash as Buffer).length, 32)
  })
})

describe('an operation is TOO_COMPLEX', () => {
  const cases: [string, string, object?][] = [
    ['by its depth', `{ notifications { edges { node { deliveries { attempts { status } } } } } }`],
    [
      'by its depth in a fragment',
      `{ notifications { edges { node { ...a } } } } fragment a on Notification { deliveries { ...b } } fragment b on Delivery { attempts { error } }`,
    ],
    ['by its aliases', `{ a: __typename b: __typename c: __typename d: __typename }`],
    [
      'by its cost',
      `{ notifications(pagination: { first: 100 }) { nodes { id type status subject body data metadata channels error createdAt } } }`,
    ],
    [
      'by its cost in variables',
      `query ($p: PaginationInput) { notifications(pagination: $p) { nodes { id type status subject body data metadata channels error createdAt } } }`,
      { p: { first: 100 } },
    ],
  ]
  for (const [name, query, variables] of cases) {
    it(name, async () => {
      const { errors } = await world.ask(query, variables)
      assert.equal(errors?.[0]?.extensions.code, 'TOO_COMPLEX')
    })
  }

  it('but not by introspection, and not by a page of twenty', async () => {
    assert.ok((await world.data(getIntrospectionQuery())).__schema.types.length > 10)
    await world.data(
      `query ($p: PaginationInput) { notifications(pagination: $p) { nodes { id type status subject } } }`,
      { p: { first: 20 } },
    )
  })

  it('and fragments that spread each other many times are counted in no time', async () => {
    const fragments = Array.from(
      { length: 30 },
      (_one, n) => `fragment f${n} on Notification { ...f${n + 1} ...f${n + 1} }`,
    )
    const query = `{ notifications { nodes { ...f0 } } } ${fragments.join(' ')} fragment f30 on Notification { id }`
    const began = performance.now()
    assert.equal((await world.ask(query)).errors?.[0]?.extensions.code, 'TOO_COMPLEX')
    assert.ok(performance.now() - began < 2_000)
  })
})

describe('a fault', () => {
  it('of ours is masked, and the correlation id is in the log', async () => {
    await world.admin.query('alter table carillon.templates rename to hidden')
    await world.admin.query('alter table carillon.recipients rename to hidden_recipients')
    try {
      const { message, extensions } = await world.error(`{ recipient(id: "a") { id } }`)
      assert.equal(extensions.code, 'INTERNAL')
      assert.doesNotMatch(message, /relation|recipients/)
      assert.ok(world.log.some((line) => line.includes(extensions.correlationId!) && line.includes('recipients')))
    } finally {
      await world.admin.query('alter table carillon.hidden rename to templates')
      await world.admin.query('alter table carillon.hidden_recipients rename to recipients')
    }
  })

  const cases: [string, string, object | undefined, string][] = [
    ['in the syntax', '{', undefined, 'GRAPHQL_PARSE_FAILED'],
    ['in the selection', '{ nothing }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
    ['in a variable', `query ($id: ID!) { notification(id: $id) { id } }`, {}, 'BAD_USER_INPUT'],
    [
      'in an enum',
      `query ($f: NotificationFilters) { notifications(filters: $f) { nodes { id } } }`,
      { f: { channel: 'PIGEON' } },
      'BAD_USER_INPUT',
    ],
  ]
  for (const [name, query, variables, code] of cases) {
    it(`${name} has the code ${code}, and is 400 where the caller takes GraphQL's own media type`, async () => {
      const headers = { accept: 'application/graphql-response+json' }
      const response = await world.post(query, variables, { headers })
      assert.equal(response.status, 400)
      assert.match(response.headers.get('content-type')!, /^application\/graphql-response\+json/)
      assert.equal(
        ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code,
        code,
      )
    })
  }

  it('of a character that cannot be stored is the caller’s', async () => {
    const query = `query ($id: ID!) { inboxCounters(userId: $id) { unread } }`
    assert.equal((await world.error(query, { id: 'a\0b' })).extensions.code, 'BAD_USER_INPUT')
  })

  it('in the input names all that is wrong', async () => {
    const { extensions } = await world.error(sendMutation, { input: anInput({ type: '', recipient: { email: 'x' } }) })
    assert.equal(extensions.code, 'VALIDATION_FAILED')
    assert.deepEqual(extensions.faults!.map(({ path }) => path.join('.')).sort(), [
      'input.recipient.email',
      'input.type',
    ])
  })
})
