import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { ruleOfForm } from '../../src/cli/rules/rule-form.ts'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()
const manual = await readFile(new URL('../../docs/rules.md', import.meta.url), 'utf8')
const blocks = (language: string) =>
  [...manual.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text]) => text!)

describe('the manual of rules', () => {
  for (const text of blocks('yaml')) {
    it(`has a file that is good: ${text.split('\n')[0]}`, () => {
      const judged = ruleOfForm(parse(text) as Record<string, unknown>)
      assert.ok(judged.ok, JSON.stringify(judged))
    })
  }
  for (const text of blocks('graphql')) {
    it('has a mutation that is good', async () => {
      const { createNotificationRule: made } = await world.data(text)
      assert.equal(made.version, 1)
    })
  }
})
