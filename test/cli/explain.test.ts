import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createExplaining } from '../api/explaining.ts'
import { runCarillon } from './support/carillon-process.ts'

const { world, person, plan, to, explain } = await createExplaining()
const folder = await mkdtemp(join(tmpdir(), 'carillon-explain-'))
after(() => rm(folder, { recursive: true, force: true }))
const env = { CARILLON_DATA_DIR: folder, CARILLON_URL: world.url, CARILLON_API_KEY: world.key }

const { intentId, id } = await plan(to(await person('ann', { enabled: false })))

describe('carillon explain', () => {
  it('says one sentence first, and then every step', async () => {
    const { code, out, err } = await runCarillon(['explain', id], env)
    assert.equal(code, 0, err)
    const lines = out.trimEnd().split('\n')
    assert.deepEqual(lines.slice(0, 2), ['Not sent to ann: the recipient is switched off.', ''])
    const { steps } = await explain({ notificationId: id })
    assert.equal(lines.length, 2 + steps.length)
    const line = lines.find((one) => one.includes('recipient_disabled  enabled=false'))
    assert.match(
      line!,
      /^\S+Z {2}permit {2}recipient\s+suppress\s+recipient_disabled {2}enabled=false {2}\[settings \d+\]$/,
    )
  })

  it('takes a request and a recipient, by id or by what names a notification of it', async () => {
    for (const asked of [intentId, id]) {
      const { code, out } = await runCarillon(['explain', asked, 'bob'], env)
      assert.equal(code, 0)
      assert.match(out, /^The request names 1 recipient, and bob is not among them\.\n/)
    }
  })

  it('answers machines with what the API says', async () => {
    const { out } = await runCarillon(['explain', intentId, 'ann', '--json'], env)
    assert.deepEqual(JSON.parse(out), await explain({ notificationId: id }))
  })

  it('fails where nothing is known, and where the id is none', async () => {
    const unknown = await runCarillon(['explain', id], { ...env, CARILLON_API_KEY: world.otherKey })
    assert.deepEqual(
      [unknown.code, unknown.out],
      [1, `Nothing is known of ${id}: it was not accepted, or is past its retention.\n`],
    )
    const none = await runCarillon(['explain', 'x'], env)
    assert.equal(none.code, 1)
    assert.match(none.err, /It must be a UUID/)
  })
})
