import type { NewIntent } from '../../../src/domain/intent.ts'
import { type Priority, priorities } from '../../../src/domain/priority.ts'

export const benchTenant = '0190a1b2-c3d4-7000-8000-00000000be0c'
export const benchTemplate = 'order-shipped'
export const eventType = 'commerce.order.shipped'

/** What all notifications of one generator have in common. */
export interface LoadProfile {
  /** Keys of two runs in one database never meet. */
  run: string
  channel: 'email' | 'sms'
  /** Taken in turn, and told to the observer; absent: none is named. */
  priorities?: readonly Priority[]
  /** Business events, for rules to say whom they concern; absent: requests that say so themselves. */
  asEvents?: true
}

/** The notifications of one request, numbered from `first`. */
export interface LoadBatch {
  first: number
  size: number
  phase: number
  intendedMs: number
}

/** One notification of the load, before it takes on the form of a transport. */
export interface LoadItem {
  number: number
  phase: number
  /** When it should have been sent, in milliseconds of the machine's monotonic clock. */
  intendedMs: number
  run: string
  channel?: LoadProfile['channel']
  priority?: Priority
}

/** What the template reads, and what the observer in the service reads back at the provider. */
export interface LoadData {
  order: string
  customer: string
  carrier: string
  items: { sku: string; quantity: number }[]
  phase: number
  intendedMs: number
  /** As stored; only of a load that mixes priorities. */
  priority?: number
}

export const templateParts = {
  email: {
    subject: 'Your order <%= it.order %> is on its way',
    body: `Hello <%= it.customer %>,

your order <%= it.order %> has left our warehouse with <%= it.carrier %>:
<% for (const item of it.items) { %>
- <%= item.quantity %> x <%= item.sku %>
<% } %>

Reference <%= it.notification.id %>.`,
    body_html: `<p>Hello <%= it.customer %>,</p>
<p>your order <b><%= it.order %></b> has left our warehouse with <%= it.carrier %>.</p>
<ul><% for (const item of it.items) { %><li><%= item.quantity %> &times; <%= item.sku %></li><% } %></ul>`,
  },
  sms: { body: 'Your order <%= it.order %> is on its way with <%= it.carrier %>' },
}

export function itemsOf({ first, size, phase, intendedMs }: LoadBatch, profile: LoadProfile): LoadItem[] {
  const { run, channel } = profile
  return Array.from({ length: size }, (_, index) => {
    const number = first + index
    return { number, phase, intendedMs, run, channel, priority: priorityOf(number, profile) }
  })
}

export const priorityOf = (number: number, { priorities: mix }: LoadProfile): Priority | undefined =>
  mix?.[number % mix.length]

/** So many different recipients, over and over. */
export const recipientCount = 50_000

export function recipientOf({ number, channel }: Pick<LoadItem, 'number' | 'channel'>) {
  const id = `customer-${number % recipientCount}`
  const address = channel === 'sms' ? { phone: '+15550100' } : { email: `${id}@example.com` }
  return { id, ...address, name: 'Ann Bell' }
}

export const keyOf = (item: LoadItem): string => `${item.run}-${item.number}-shipped`

export function dataOf(item: LoadItem): LoadData {
  const data: LoadData = {
    order: `A-${item.number}`,
    customer: 'Ann Bell',
    carrier: 'Penny Post',
    items: [
      { sku: 'bell-c4', quantity: 1 },
      { sku: 'clapper', quantity: 2 },
    ],
    phase: item.phase,
    intendedMs: item.intendedMs,
  }
  return item.priority === undefined ? data : { ...data, priority: priorities[item.priority] }
}

/** The item as an input of the GraphQL API. */
export function inputOf(item: LoadItem) {
  const { channel = 'email', priority } = item
  return {
    idempotencyKey: keyOf(item),
    type: eventType,
    recipient: { type: 'USER', ...recipientOf(item) },
    channels: [channel.toUpperCase()],
    category: 'transactional',
    template: benchTemplate,
    ...(priority && { priority }),
    data: dataOf(item),
  }
}

/** The same as a business event: whom it concerns is a rule's to say. */
export function eventInputOf(item: LoadItem) {
  return { id: keyOf(item), type: eventType, data: { ...dataOf(item), customerId: recipientOf(item).id } }
}

/** The item as the API would hand it to accept, after validation. */
export function intentOf(item: LoadItem): NewIntent {
  return {
    tenantId: benchTenant,
    kind: 'direct',
    type: eventType,
    priority: priorities[item.priority ?? 'NORMAL'],
    category: 'transactional',
    idempotencyKey: keyOf(item),
    source: 'graphql',
    payload: {
      recipients: [{ type: 'user', ...recipientOf(item) }],
      channels: [item.channel ?? 'email'],
      template: benchTemplate,
      data: { ...dataOf(item) },
      metadata: {},
    },
  }
}
