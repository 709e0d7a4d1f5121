import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = 'category granted at source wordingVersion proof'
const record = `mutation ($input: ConsentInput!) { recordConsent(input: $input) { ${fields} } }`
const withdraw = `mutation ($input: ConsentInput!) { withdrawConsent(input: $input) { ${fields} } }`
const list = `query ($userId: ID!, $category: String, $first: Int) {
  consents(userId: $userId, category: $category, first: $first) { ${fields} } }`
const base = { userId: 'ann', category: 'marketing', source: 'signup form' }

describe('consent', () => {
  it('is recorded with when, where, wording and proof; the word that holds is the answer', async () => {
    const proof = { url: 'https://example.com/signup', ip: '192.0.2.1' }
    const { recordConsent } = await world.data(record, { input: { ...base, wordingVersion: '2026-04', proof } })
    assert.deepEqual(recordConsent, {
      category: 'marketing',
      granted: true,
      at: world.clock.now().toISOString(),
      source: 'signup form',
      wordingVersion: '2026-04',
      proof,
    })
  })

  it('is withdrawn in one call, in the same millisecond too, and what was said stays on record', async () => {
    const { withdrawConsent } = await world.data(withdraw, { input: { ...base, source: 'support call' } })
    assert.equal(withdrawConsent.granted, false)
    const { consents } = await world.data(list, { userId: 'ann' })
    assert.deepEqual(
      consents.map(({ granted, source }: Data) => [granted, source]),
      [
        [false, 'support call'],
        [true, 'signup form'],
      ],
    )
    assert.equal((await world.data(list, { userId: 'ann', first: 1 })).consents.length, 1)
    assert.deepEqual((await world.data(list, { userId: 'ann', category: 'news' })).consents, [])
    assert.deepEqual((await world.data(list, { userId: 'ann' }, { key: world.otherKey })).consents, [])
  })

  it('that is told late overrides nothing that was said after it', async () => {
    const late = { ...base, source: 'import', at: '2024-05-01T00:00:00Z' }
    assert.equal((await world.data(record, { input: late })).recordConsent.granted, false)
    const { recordConsent } = await world.data(record, { input: { ...late, userId: 'bea' } })
    assert.deepEqual([recordConsent.granted, recordConsent.at], [true, '2024-05-01T00:00:00.000Z'])
  })

  const refused: [string, string, object, string][] = [
    ['without a user', record, { userId: '' }, 'userId'],
    ['without a category', record, { category: '' }, 'category'],
    ['without a source', record, { source: '' }, 'source'],
    ['of the future', record, { at: '2099-01-01T00:00:00Z' }, 'at'],
    ['with a proof that is no object', record, { proof: 'yes' }, 'proof'],
    ['with a large proof', record, { proof: { scan: 'x'.repeat(17_000) } }, 'proof'],
    ['withdrawn in the past', withdraw, { at: '2024-01-01T00:00:00Z' }, 'at'],
  ]
  for (const [name, mutation, changes, field] of refused) {
    it(`${name} is refused, with the field's name`, async () => {
      const { extensions } = await world.error(mutation, { input: { ...base, ...changes } })
      assert.equal(extensions.code, 'VALIDATION_FAILED')
      assert.deepEqual(extensions.path, ['input', field])
    })
  }
})
