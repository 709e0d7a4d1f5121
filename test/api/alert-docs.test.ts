import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()
const anyId = '01a1f9c1-03e3-7487-b770-5a1e00000000'

for (const page of ['alerts.md', 'schedules.md']) {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
  const examples = [...text.matchAll(/```graphql\n([\s\S]*?)```/g)].map((match) => match[1]!)

  describe(`the examples of docs/${page}`, () => {
    let id = anyId
    for (const example of examples) {
      it(example.replaceAll(/\s+/g, ' ').slice(0, 60), async () => {
        const data = await world.data(example.replaceAll(anyId, id))
        const [answer] = Object.values(data) as [{ id?: string }]
        assert.notEqual(answer, null)
        id = answer.id ?? id
      })
    }
  })
}

it('the example in SQL of docs/schedules.md', async () => {
  const text = await readFile(new URL('../../docs/schedules.md', import.meta.url), 'utf8')
  const example = /```sql\n([\s\S]*?)```/.exec(text)![1]!
  const client = await world.api.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('carillon.tenant_id', $1, true)`, [world.tenant])
    assert.equal((await client.query(example)).rows.length, 1)
    await client.query('rollback')
  } finally {
    client.release()
  }
})
