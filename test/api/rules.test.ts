import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = `id name version description eventPattern domains eventTypes priority category channels fallbackChannels
  recipientSelector schedule batchWindow batchSize batchSliding batchLongestWait batchKey digestTemplate group
  template { name } templateName templateVars enabled disabledReason faults { streak } validFrom validUntil updatedBy`
const create = `mutation ($input: RuleInput!) { createNotificationRule(input: $input) { ${fields} } }`
const update = `mutation ($id: ID!, $input: RuleInput!) { updateNotificationRule(id: $id, input: $input) { ${fields} } }`
const remove = `mutation ($id: ID!) { deleteNotificationRule(id: $id) }`
const one = `query ($id: ID!) { notificationRule(id: $id) { ${fields} } }`
const list = `query ($filters: RuleFilters, $pagination: PaginationInput) {
  notificationRules(filters: $filters, pagination: $pagination) {
    nodes { id name } edges { cursor } pageInfo { hasNextPage endCursor } } }`
const versions = `query ($id: ID!) { notificationRuleVersions(id: $id) { version name enabled eventPattern } }`

let count = 0
const anInput = (changes: object = {}): Data => ({
  name: `rule ${++count}`,
  eventPattern: 'event.data.total > 100',
  eventTypes: ['commerce.order.*'],
  channels: ['EMAIL'],
  recipientSelector: { type: 'user', userIds: ['ann'] },
  template: 'order-shipped',
  ...changes,
})
const created = async (changes: object = {}): Promise<Data> =>
  (await world.data(create, { input: anInput(changes) })).createNotificationRule

describe('a rule', () => {
  it('is made, and read as it was said', async () => {
    const input = {
      name: 'Orders, everything',
      description: 'All that a rule can say',
      eventPattern: 'event.data.total > 100 && event.source == "shop"',
      domains: ['commerce'],
      eventTypes: ['commerce.order.*', 'commerce.refund'],
      priority: 'HIGH',
      category: 'orders',
      channels: ['EMAIL', 'IN_APP'],
      fallbackChannels: ['SMS'],
      recipientSelector: {
        type: 'dynamic',
        expression: 'event.data.owner',
        userIds: ['ann', 'ann'],
        roles: ['ops'],
        addresses: [{ email: 'ops@example.com', name: 'Ops' }, { channel: 'slack', address: '#orders' }, '+4930123456'],
      },
      schedule: { delay: 60, sendWindow: { startTime: '09:00', endTime: '18:00', days: [1, 2, 3, 4, 5] } },
      timezone: 'Europe/Berlin',
      batchWindow: 300,
      batchSize: 50,
      batchSliding: true,
      batchLongestWait: 900,
      batchKey: 'event.data.region',
      digestTemplate: 'orders-digest',
      template: 'order-shipped',
      templateVars: {
        shop: 'Berlin',
        total: { cel: 'event.data.total * 2' },
        hello: { cel: '"Dear " + recipient.name' },
      },
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: '2030-01-01T01:00:00+01:00',
    }
    const made = (await world.data(create, { input })).createNotificationRule
    const expected = {
      ...input,
      version: 1,
      recipientSelector: {
        type: 'dynamic',
        expression: 'event.data.owner',
        userIds: ['ann'],
        roles: ['ops'],
        addresses: [
          { email: 'ops@example.com', name: 'Ops' },
          { channel: 'slack', address: '#orders' },
          { phone: '+4930123456' },
        ],
      },
      schedule: {
        delay: 60,
        timezone: 'Europe/Berlin',
        sendWindow: { startTime: '09:00', endTime: '18:00', days: [1, 2, 3, 4, 5], timezone: 'Europe/Berlin' },
      },
      group: null,
      template: null,
      templateName: 'order-shipped',
      enabled: true,
      disabledReason: null,
      faults: null,
      validFrom: '2026-01-01T00:00:00.000Z',
      validUntil: '2030-01-01T00:00:00.000Z',
      updatedBy: `api-key:${world.keyId}`,
    }
    const { timezone: _timezone, ...rest } = expected
    assert.deepEqual({ ...made, id: undefined }, { ...rest, id: undefined })
    assert.deepEqual((await world.data(one, { id: made.id })).notificationRule, made)
  })

  it('has defaults, and holds from when it was made', async () => {
    const made = await created()
    assert.equal(made.priority, 'NORMAL')
    assert.equal(made.enabled, true)
    assert.equal(made.validFrom, world.clock.now().toISOString())
    assert.deepEqual([made.schedule, made.batchWindow, made.domains, made.validUntil], [null, null, null, null])
  })

  it('is changed as a whole, and every change is a version', async () => {
    const input = anInput({ domains: ['commerce'] })
    const { id } = (await world.data(create, { input })).createNotificationRule
    const same = (await world.data(update, { id, input })).updateNotificationRule
    assert.equal(same.version, 1, 'what changes nothing is no version')
    const { domains: _domains, ...less } = input
    const off = (await world.data(update, { id, input: { ...less, enabled: false } })).updateNotificationRule
    assert.deepEqual([off.version, off.domains, off.enabled, off.disabledReason], [2, null, false, 'switched_off'])
    const on = (await world.data(update, { id, input: { ...less, eventPattern: '' } })).updateNotificationRule
    assert.deepEqual([on.version, on.enabled, on.disabledReason, on.eventPattern], [3, true, null, ''])
    const { notificationRuleVersions: kept } = await world.data(versions, { id })
    assert.deepEqual(
      kept.map((version: Data) => [version.version, version.enabled, version.eventPattern]),
      [
        [3, true, ''],
        [2, false, 'event.data.total > 100'],
        [1, true, 'event.data.total > 100'],
      ],
    )
  })

  it('is deleted once, and what it has said is remembered', async () => {
    const { id } = await created()
    assert.equal((await world.data(remove, { id })).deleteNotificationRule, true)
    assert.equal((await world.data(one, { id })).notificationRule, null)
    assert.equal((await world.data(versions, { id })).notificationRuleVersions.length, 1)
    assert.equal((await world.error(remove, { id })).extensions.code, 'NOT_FOUND')
    assert.equal((await world.error(update, { id, input: anInput() })).extensions.code, 'NOT_FOUND')
  })

  it('has a name of its own', async () => {
    const { id, name } = await created()
    const again = await world.error(create, { input: anInput({ name }) })
    assert.deepEqual([again.extensions.code, again.extensions.path], ['VALIDATION_FAILED', ['input', 'name']])
    const other = await created()
    const renamed = await world.error(update, { id: other.id, input: anInput({ name }) })
    assert.deepEqual(renamed.extensions.path, ['input', 'name'])
    assert.equal((await world.data(update, { id, input: anInput({ name }) })).updateNotificationRule.name, name)
  })

  it('of another tenant is not there', async () => {
    const { id } = await created()
    const as = { key: world.otherKey }
    assert.equal((await world.data(one, { id }, as)).notificationRule, null)
    assert.equal((await world.error(remove, { id }, as)).extensions.code, 'NOT_FOUND')
    assert.equal((await world.error(update, { id, input: anInput() }, as)).extensions.code, 'NOT_FOUND')
    assert.deepEqual((await world.data(versions, { id }, as)).notificationRuleVersions, [])
    assert.deepEqual((await world.data(list, {}, as)).notificationRules.nodes, [])
  })

  it('needs the scope manage', async () => {
    const { key } = await world.newKey(['send', 'read'])
    assert.equal((await world.error(create, { input: anInput() }, { key })).extensions.code, 'FORBIDDEN')
    assert.equal((await world.error(list, {}, { key })).extensions.code, 'FORBIDDEN')
  })

  it('tells every process that it has changed', async () => {
    const version = async () =>
      (
        await world.rows<{ version: string }>('select version from carillon.settings_versions where tenant_id = $1', [
          world.tenant,
        ])
      )[0]?.version
    const before = await version()
    const { id } = await created()
    const made = await version()
    assert.notEqual(made, before)
    await world.data(remove, { id })
    assert.notEqual(await version(), made)
  })
})

describe('addresses of a rule', () => {
  const cases: [what: string, addresses: unknown, stored: object[]][] = [
    [
      'texts',
      ['a@b.c', '+4930123', 'https://example.com/x'],
      [{ email: 'a@b.c' }, { phone: '+4930123' }, { webhookUrl: 'https://example.com/x' }],
    ],
    ['one alone', { email: 'a@b.c', name: 'A' }, [{ email: 'a@b.c', name: 'A' }]],
    [
      'names of channels for fields',
      [{ email: 'a@b.c', slack: 'U1', sms: '+49' }],
      [{ email: 'a@b.c', slackId: 'U1', phone: '+49' }],
    ],
    [
      'names with underscores',
      [{ slack_id: 'U1', webhook_url: 'https://example.com' }],
      [{ slackId: 'U1', webhookUrl: 'https://example.com' }],
    ],
    ['an address by its channel', [{ channel: 'EMAIL', address: 'a@b.c' }], [{ email: 'a@b.c' }]],
    [
      'a fixed target',
      [{ channel: 'PAGERDUTY', address: 'service-1', name: 'Pager' }],
      [{ channel: 'pagerduty', address: 'service-1', name: 'Pager' }],
    ],
  ]
  for (const [what, addresses, stored] of cases) {
    it(`may be ${what}`, async () => {
      const { recipientSelector } = await created({ recipientSelector: { type: 'inline', addresses } })
      assert.deepEqual(recipientSelector, { type: 'inline', addresses: stored })
      const again = await created({ recipientSelector })
      assert.deepEqual(again.recipientSelector, recipientSelector)
    })
  }
})

const faults: [string, object, string[], RegExp?][] = [
  ['without a name', { name: ' ' }, ['name']],
  ['without channels', { channels: [] }, ['channels']],
  ['with a pattern that is no CEL', { eventPattern: 'event.data.total >' }, ['eventPattern'], /column/],
  ['with a pattern that gives no truth', { eventPattern: 'event.type' }, ['eventPattern'], /column/],
  ['with a name that is not declared', { eventPattern: 'evnt.type == "x"' }, ['eventPattern'], /column 1/],
  ['with a pattern over a recipient', { eventPattern: 'recipient.name == "x"' }, ['eventPattern'], /column/],
  ['with types that are no pattern', { eventTypes: ['a.*', 'a.*.b'] }, ['eventTypes', '1']],
  ['with a selector that names nobody', { recipientSelector: {} }, ['recipientSelector'], /names nobody/],
  ['with a selector that is none', { recipientSelector: 'ann' }, ['recipientSelector']],
  ['with an unknown word in its selector', { recipientSelector: { userId: 'ann' } }, ['recipientSelector']],
  [
    'of a type without its list',
    { recipientSelector: { type: 'role', userIds: ['a'] } },
    ['recipientSelector', 'roles'],
  ],
  ['of an unknown type', { recipientSelector: { type: 'tribe', userIds: ['a'] } }, ['recipientSelector', 'type']],
  [
    'with a selector whose expression is none',
    { recipientSelector: { expression: 'event.data.owner ++' } },
    ['recipientSelector', 'expression'],
    /column/,
  ],
  [
    'with an address that is none',
    { recipientSelector: { addresses: [{ email: 'ops@example.com' }, { email: 'nobody' }] } },
    ['recipientSelector', 'addresses', '1', 'email'],
  ],
  [
    'with a target on a channel that has none',
    { recipientSelector: { addresses: [{ channel: 'push', address: 'x' }] } },
    ['recipientSelector', 'addresses', '0', 'channel'],
  ],
  [
    'with a variable that is no CEL',
    { templateVars: { a: 1, b: { list: [{ cel: '1 +' }] } } },
    ['templateVars', 'b', 'list', '0'],
  ],
  ['with a time that is none', { schedule: { localTime: '25:00' } }, ['schedule', 'localTime']],
  ['with an unknown word in its schedule', { schedule: { after: 3 } }, ['schedule']],
  ['with a zone that is none', { timezone: 'Europe/Atlantis' }, ['timezone']],
  ['with a cron expression that is none', { schedule: { cron: '61 * * * *' } }, ['schedule', 'cron']],
  ['with both cron and RRULE', { schedule: { cron: '0 9 * * *', rrule: 'FREQ=DAILY' } }, ['schedule', 'rrule']],
  ['with a window and cron', { batchWindow: 60, schedule: { cron: '0 9 * * *' } }, ['batchWindow']],
  ['with a size and no window', { batchSize: 5 }, ['batchSize']],
  ['with a key that is no CEL', { batchWindow: 60, batchKey: 'event.' }, ['batchKey'], /column/],
  ['with a window of nothing', { batchWindow: 0 }, ['batchWindow']],
  [
    'with a longest wait below the window',
    { batchWindow: 60, batchSliding: true, batchLongestWait: 30 },
    ['batchLongestWait'],
  ],
  [
    'that ends before it begins',
    { validFrom: '2027-01-01T00:00:00Z', validUntil: '2026-01-01T00:00:00Z' },
    ['validUntil'],
  ],
  ['with a moment that is none', { validFrom: 'tomorrow' }, ['validFrom']],
  ['with a group that is none', { group: { by: [] } }, ['group', 'by']],
  ['with a group whose key is none', { group: { by: ['event.data.host', '1 +'] } }, ['group', 'by', '1'], /column/],
  ['with a digest and a group', { batchWindow: 60, group: { by: ['event.type'] } }, ['group']],
]
describe('a rule at fault', () => {
  for (const [what, changes, path, says] of faults) {
    it(`${what} is refused, with the field's name`, async () => {
      const { message, extensions } = await world.error(create, { input: anInput(changes) })
      assert.equal(extensions.code, 'VALIDATION_FAILED', message)
      assert.deepEqual(extensions.path, ['input', ...path], message)
      if (says) assert.match(message, says)
    })
  }

  it('tells where in the expression, for machines too', async () => {
    const { extensions } = await world.error(create, {
      input: anInput({ eventPattern: 'true &&\n  evnt.type == "x"' }),
    })
    const [first] = extensions.faults as unknown as { line: number; column: number }[]
    assert.deepEqual([first!.line, first!.column], [2, 3])
  })
})

describe('the list of rules', () => {
  it('is paged, the newest first, and filtered', async () => {
    const as = { key: world.otherKey }
    const make = async (changes: object) =>
      (await world.data(create, { input: anInput(changes) }, as)).createNotificationRule.name
    const billing = await make({ name: 'Billing late', domains: ['billing'], eventTypes: ['billing.invoice.late'] })
    const orders = await make({ name: 'Orders late', domains: ['commerce'], eventTypes: ['commerce.order.*'] })
    const off = await make({ name: 'Off', enabled: false, eventTypes: ['*'] })
    const names = async (filters?: object) =>
      (await world.data(list, { filters }, as)).notificationRules.nodes.map((node: Data) => node.name)
    assert.deepEqual(await names(), [off, orders, billing])
    assert.deepEqual(await names({ name: 'LATE' }), [orders, billing])
    assert.deepEqual(await names({ domain: 'billing' }), [billing])
    assert.deepEqual(await names({ eventType: 'commerce.order.shipped' }), [off, orders])
    assert.deepEqual(await names({ eventType: 'commerce.order' }), [off])
    assert.deepEqual(await names({ enabled: false }), [off])
    const first = (await world.data(list, { pagination: { first: 2 } }, as)).notificationRules
    assert.deepEqual([first.nodes.length, first.pageInfo.hasNextPage], [2, true])
    const next = (await world.data(list, { pagination: { first: 2, after: first.pageInfo.endCursor } }, as))
      .notificationRules
    assert.deepEqual(
      next.nodes.map((node: Data) => node.name),
      [billing],
    )
    const last = (await world.data(list, { pagination: { last: 1 } }, as)).notificationRules
    assert.deepEqual(
      last.nodes.map((node: Data) => node.name),
      [billing],
    )
  })
})

describe('a notification that a rule wanted', () => {
  it('names the rule as it was then', async () => {
    const { id } = await created({ name: 'As it was' })
    const [intentId] = await world.plan([world.intent()])
    const notificationId = `${intentId!.slice(0, 28)}00000100`
    await world.admin.query('update carillon.notifications set rule_id = $1, rule_version = 1 where id = $2', [
      id,
      notificationId,
    ])
    await world.data(update, { id, input: anInput({ name: 'As it is' }) })
    const query = 'query ($id: ID!) { notification(id: $id) { rule { id name version validFrom } } }'
    const { rule } = (await world.data(query, { id: notificationId })).notification
    assert.deepEqual([rule.id, rule.name, rule.version], [id, 'As it was', 1])
    const paged = await world.data('{ notifications { nodes { id rule { name } } } }')
    assert.equal(paged.notifications.nodes.find((node: Data) => node.id === notificationId).rule.name, 'As it was')
  })
})
