import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createUnsubscribeTokens } from '../../src/domain/unsubscribe-token.ts'
import { loadSigningKeys } from '../../src/store/signing-keys.ts'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()
const tokens = createUnsubscribeTokens(await loadSigningKeys(world.worker, 'unsubscribe'))
const linkOf = (recipientId: string, category: string, tenantId = world.tenant) =>
  `${world.url}/u/${tokens.sign({ tenantId, recipientId, category })}`

const oneClick = (url: string) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
  })
const preferences = async (recipientId: string) =>
  (
    await world.rows<{ document: unknown; version: number; updated_by: string }>(
      'select document, version, updated_by from carillon.preferences where tenant_id = $1 and recipient_id = $2',
      [world.tenant, recipientId],
    )
  )[0]
const consents = (recipientId: string) =>
  world.rows<{ category: string; granted: boolean; source: string }>(
    'select category, granted, source from carillon.consents where tenant_id = $1 and recipient_id = $2 order by category desc, at',
    [world.tenant, recipientId],
  )

await world.data(`mutation {
  orders: upsertCategory(input: { name: "orders", description: "News of <your> orders" }) { name }
  offers: upsertCategory(input: { name: "offers", marketing: true }) { name }
  security: upsertCategory(input: { name: "security", required: true }) { name } }`)

describe('an unsubscribe link', () => {
  it('shows a page when it is looked at, and changes nothing, however often', async () => {
    for (const method of ['GET', 'HEAD', 'GET']) {
      const response = await fetch(linkOf('ann', 'orders'), { method })
      assert.equal(response.status, 200)
      assert.match(response.headers.get('content-security-policy')!, /default-src 'none'.*form-action 'self'/)
      assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
      assert.equal(response.headers.get('cache-control'), 'no-store')
      const page = await response.text()
      if (method === 'HEAD') assert.equal(page, '')
      else {
        assert.match(page, /News of &#60;your&#62; orders/)
        assert.match(page, /<form method="post">/)
        assert.ok(!page.includes('ann'))
      }
    }
    assert.equal(await preferences('ann'), undefined)
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      await fetch(linkOf('ann', 'orders'), { method })
      assert.equal(await preferences('ann'), undefined, method)
    }
  })

  it('ends a category with one click, and once is enough', async () => {
    for (let click = 0; click < 3; click++) {
      const response = await oneClick(linkOf('ann', 'orders'))
      assert.equal(response.status, 200)
      assert.match(await response.text(), /You are unsubscribed/)
    }
    assert.deepEqual(await preferences('ann'), {
      document: { categories: { orders: { enabled: false } } },
      version: 1,
      updated_by: 'unsubscribe link',
    })
    assert.deepEqual(await consents('ann'), [])
  })

  it('ends it by a body of parts, too', async () => {
    const body = new FormData()
    body.set('List-Unsubscribe', 'One-Click')
    assert.equal((await fetch(linkOf('bea', 'orders'), { method: 'POST', body })).status, 200)
    assert.equal((await preferences('bea'))?.version, 1)
  })

  it('withdraws the consent to marketing, defined or only called so', async () => {
    await world.data(
      `mutation { recordConsent(input: { userId: "cid", category: "offers", source: "form" }) { granted } }`,
    )
    for (const category of ['offers', 'offers', 'marketing.spring']) await oneClick(linkOf('cid', category))
    assert.deepEqual(await consents('cid'), [
      { category: 'offers', granted: true, source: 'form' },
      { category: 'offers', granted: false, source: 'unsubscribe link' },
      { category: 'marketing.spring', granted: false, source: 'unsubscribe link' },
    ])
    assert.equal(await preferences('cid'), undefined)
  })

  it('of a category that is required by now says so, and changes nothing', async () => {
    const url = linkOf('dan', 'security')
    assert.ok(!(await (await fetch(url)).text()).includes('<form'))
    const response = await oneClick(url)
    assert.equal(response.status, 403)
    assert.match(await response.text(), /cannot be switched off/)
    assert.equal(await preferences('dan'), undefined)
  })

  it('acts in its own tenant alone', async () => {
    await oneClick(linkOf('eve', 'orders', world.otherTenant))
    assert.equal(await preferences('eve'), undefined)
    const [row] = await world.rows('select version from carillon.preferences where tenant_id = $1', [world.otherTenant])
    assert.deepEqual(row, { version: 1 })
  })

  it('that was changed is none', async () => {
    const url = linkOf('fay', 'orders')
    const changed = url.slice(0, -5) + (url.at(-5) === 'A' ? 'B' : 'A') + url.slice(-4)
    for (const bad of [changed, `${world.url}/u/x`, `${world.url}/u/%00`, `${world.url}/u/${'A'.repeat(5_000)}`]) {
      assert.equal((await fetch(bad)).status, 404)
      assert.equal((await oneClick(bad)).status, 404)
    }
    assert.equal(await preferences('fay'), undefined)
  })

  it('and whose it is stand in no log', () => {
    assert.deepEqual(
      world.log.filter((line) => /\/u\/|ann|unsubscribe/.test(line)),
      [],
    )
  })
})
